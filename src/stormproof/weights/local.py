"""Models that the user has on disk: a GGUF file, or a folder as Hugging Face lays it out."""

import json
from pathlib import Path
from typing import Final

from stormproof.errors import ModelLoadError
from stormproof.weights.disk import storing

_GGUF_MAGIC: Final = b"GGUF"
_LARGEST_INDEX: Final = 64 << 20


def checked_model(path: Path) -> Path:
    """Return ``path`` if a model lies there, whole as far as the names of its files tell.

    Args:
        path: A ``.gguf`` file, or a folder with ``config.json``, ``tokenizer.json`` and weights
            in ``.safetensors`` files.

    Raises:
        ModelLoadError: It is neither; the message says what is missing.
    """
    with storing("read the model", path):
        problem = _problem(path)
    if problem:
        raise ModelLoadError(model=path.name, reason=f"{path.name}: {problem}", path=str(path))
    return path


def _problem(path: Path) -> str | None:
    if path.is_dir():
        return _problem_of_folder(path)
    return _problem_of_file(path) if path.is_file() else "there is no such file or folder"


def _problem_of_file(path: Path) -> str | None:
    with path.open("rb") as file:
        magic = file.read(len(_GGUF_MAGIC))
    return None if magic == _GGUF_MAGIC else "it is not a GGUF file"


def _problem_of_folder(folder: Path) -> str | None:
    needed = ("config.json", "tokenizer.json")
    missing = [name for name in needed if not (folder / name).is_file()]
    missing += _missing_weights(folder)
    return f"the folder has no {', no '.join(missing)}" if missing else None


def _missing_weights(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [] if any(folder.glob("*.safetensors")) else [".safetensors file"]
    try:
        with index.open("rb") as file:
            shards = set(json.loads(file.read(_LARGEST_INDEX))["weight_map"].values())
        return sorted(name for name in shards if not (folder / name).is_file())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"readable {index.name}"]
