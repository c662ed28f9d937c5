"""Reads a model folder as Hugging Face lays it out: JSON, safetensors and a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.checkpoints.huggingface_config import parse_config
from stormproof.engine.checkpoints.huggingface_tensors import stored
from stormproof.engine.checkpoints.loading import Unusable, loading
from stormproof.engine.checkpoints.model_folder import MAX_TOKENIZER_BYTES, read_json, read_text
from stormproof.engine.checkpoints.safetensors_file import SafetensorsFile
from stormproof.engine.checkpoints.untrusted import Untrusted
from stormproof.engine.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.stored_tensor import StoredTensor

_SPECIAL_NAMES: Final = ("bos_token", "eos_token", "pad_token", "unk_token")


class HuggingFaceCheckpoint:
    """A folder with ``config.json``, safetensors in one file or several, and ``tokenizer.json``.

    Args:
        folder: The folder.

    Raises:
        Unusable: It is incomplete or of an unsupported kind.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        generation = read_json(folder / "generation_config.json", optional=True)
        self._config = parse_config(read_json(folder / "config.json"), generation)
        self._files = {name: SafetensorsFile(folder / name) for name in _weight_files(folder)}
        self._file_of = {
            tensor: opened for opened in self._files.values() for tensor in opened.names
        }

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        return self._config

    @property
    def identity(self) -> tuple[tuple[int, ...], ...]:
        """Of the files of weights, see `Checkpoint`."""
        return tuple(opened.identity for opened in self._files.values())

    def tensor(self, name: str) -> StoredTensor:
        """One tensor, see `Checkpoint`."""
        with loading(self._folder.name):
            place = stored(name, self._config.family)
            for written in place.names:
                if written in self._file_of:
                    return place.restore(self._file_of[written].tensor(written))
            raise Unusable(f"tensor {place.names[0]} is missing")

    def tokenizer(self) -> Tokenizer:
        """The tokenizer, see `Checkpoint`."""
        with loading(self._folder.name):
            definition = read_text(self._folder / "tokenizer.json", MAX_TOKENIZER_BYTES)
            settings = read_json(self._folder / "tokenizer_config.json", optional=True)
            return Tokenizer.from_json(
                definition,
                eos_ids=self._config.eos_ids,
                template=_chat_template(self._folder, settings),
                names=_special_names(settings),
            )


def _weight_files(folder: Path) -> list[str]:
    index = read_json(folder / "model.safetensors.index.json", optional=True)
    if not index:
        return ["model.safetensors"]
    names = set(index.get("weight_map", {}).values())
    if not all(isinstance(name, str) and name == Path(name).name for name in names):
        raise Unusable("its index of weights names a file outside its folder")
    return sorted(names)


def _chat_template(folder: Path, settings: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return read_text(path)
    template = settings.get("chat_template")
    if isinstance(template, list):  # several named templates
        named = {entry.get("name"): entry.get("template") for entry in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _special_names(settings: dict[str, Any]) -> dict[str, str]:
    # A token is given by its text, or by an object that holds it as "content".
    texts = {name: settings.get(name) for name in _SPECIAL_NAMES}
    return {
        name: Untrusted(text).text("content") if isinstance(text, dict) else str(text)
        for name, text in texts.items()
        if text is not None
    }
