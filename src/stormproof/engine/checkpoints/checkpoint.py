"""A model on disk, whatever the format: its architecture, its weights, its tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stormproof.engine.checkpoints.gguf import GGUFCheckpoint
from stormproof.engine.checkpoints.huggingface import HuggingFaceCheckpoint
from stormproof.engine.checkpoints.loading import Unusable, loading

if TYPE_CHECKING:
    from pathlib import Path

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.stored_tensor import StoredTensor
    from stormproof.engine.tokens.tokenizer import Tokenizer


class Checkpoint(Protocol):
    """A model that can be read.

    Tensors have the names that Hugging Face's Llama gives them, such as
    ``model.layers.0.self_attn.q_proj.weight``, and its layout: a projection is [out, in], and the
    two dimensions that RoPE turns together lie half a head apart. What Llama does not have is
    called as in Gemma 2 (the four norms of a layer), Qwen3 (``self_attn.q_norm``) and OPT
    (``model.embed_positions``); an MLP without a gate has ``up_proj`` and ``down_proj``. Norms are
    what rows are multiplied with.
    """

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        ...

    @property
    def identity(self) -> tuple[tuple[int, ...], ...]:
        """Tells its weights from others, and from what they were before the files changed."""
        ...

    def tensor(self, name: str) -> StoredTensor:
        """One tensor, which stays on disk until it is read.

        Raises:
            ModelLoadError: There is no such tensor, or it is damaged.
        """
        ...

    def tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            ModelLoadError: It is missing, damaged or of an unsupported kind.
        """
        ...


def tensor_of_shape(checkpoint: Checkpoint, name: str, *shape: int) -> StoredTensor:
    """A checkpoint's tensor, if it has the shape that the architecture says.

    Raises:
        ModelLoadError: There is no such tensor, or it is damaged.
        Unusable: It has another shape.
    """
    tensor = checkpoint.tensor(name)
    if tensor.shape != shape:
        raise Unusable(f"tensor {name} has the shape {tensor.shape}, not {shape}")
    return tensor


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a GGUF file, or a folder as Hugging Face lays it out.

    A folder holds ``config.json``, ``*.safetensors`` and ``tokenizer.json``. Weights stay on disk
    until they are asked for.

    Raises:
        ModelLoadError: It is missing, damaged or of an unsupported kind.
    """
    with loading(path.name):
        if path.is_dir():
            return HuggingFaceCheckpoint(path)
        if path.suffix != ".gguf" and path.exists():
            raise Unusable("it is neither a .gguf file nor a folder")
        return GGUFCheckpoint(path)
