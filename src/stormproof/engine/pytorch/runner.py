"""Runs a model on torch, on a CPU or on CUDA."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import torch

from stormproof.engine.checkpoints.checkpoint import Checkpoint, open_checkpoint
from stormproof.engine.checkpoints.loading import loading
from stormproof.engine.pytorch.forward import DeviceLost, Forward
from stormproof.engine.pytorch.gathered_forward import GatheredForward
from stormproof.engine.pytorch.kv_cache import KVCache
from stormproof.engine.pytorch.sampler import sample
from stormproof.engine.pytorch.shard import WHOLE, Shard
from stormproof.engine.pytorch.transformer_loading import load_transformer
from stormproof.errors import OutOfMemory, TensorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.loading import Progress
    from stormproof.engine.pytorch.transformer import Transformer
    from stormproof.engine.sampling.draw import Draw, Sampled
    from stormproof.engine.scheduling.batch import StepBatch
    from stormproof.engine.settings import Device, DType

_DTYPES: Final = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class TorchRunner:
    """A model and its cache, run by torch; a `ModelRunner`.

    Args:
        config: The model's architecture.
        forward: What computes.
        device: Where it does.
    """

    def __init__(self, config: ModelConfig, forward: Forward, device: torch.device) -> None:
        self.config: ModelConfig = config
        self._forward = forward
        self._device = device

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        num_blocks: int,
        block_size: int,
        device: Device = "auto",
        dtype: DType = "auto",
        progress: Progress | None = None,
    ) -> TorchRunner:
        """Loads the model at ``path``, see `open_checkpoint`; the rest as for `from_checkpoint`.

        Raises:
            ModelLoadError: It is missing, damaged or of an unsupported kind.
            OutOfMemory: It and its cache do not fit.
        """
        return cls.from_checkpoint(
            open_checkpoint(path),
            name=path.name,
            num_blocks=num_blocks,
            block_size=block_size,
            device=device,
            dtype=dtype,
            progress=progress,
        )

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        *,
        name: str,
        num_blocks: int,
        block_size: int,
        device: Device = "auto",
        dtype: DType = "auto",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> TorchRunner:
        """Loads a model that is already open.

        Args:
            checkpoint: The model.
            name: What errors call it.
            num_blocks: Blocks in the cache.
            block_size: Tokens in a block.
            device: Where to run; "auto" prefers CUDA.
            dtype: What to compute with. "auto" is bfloat16 on CUDA and float32 on a CPU, where
                memory is plenty, and where only float32 keeps the greedy answer to a prompt the
                same whatever else is in the batch.
            threads: How many compute on a CPU, in all of the process; None for PyTorch's choice.
            progress: Told the fraction that is loaded.

        Raises:
            ModelLoadError: It is damaged.
            OutOfMemory: It and its cache do not fit.
        """
        if threads:
            torch.set_num_threads(threads)
        place = device_of(device)
        forward = load_forward(
            checkpoint,
            name=name,
            num_blocks=num_blocks,
            block_size=block_size,
            device=place,
            dtype=dtype_of(dtype, place),
            progress=progress,
        )
        return cls(checkpoint.config, forward, place)

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        """Writes the batch into the cache and chooses the next tokens; see `ModelRunner`.

        Raises:
            OutOfMemory: The batch does not fit.
            TensorError: The batch contradicts itself.
            DeviceLost: The device failed, and will fail again.
        """
        counts = [len(wanted) for wanted in draws]
        logits = self.forward(batch, counts)
        with _translated(self._device), torch.inference_mode():
            chosen = iter(sample(logits, list(chain.from_iterable(draws))) if len(logits) else ())
        return [list(islice(chosen, count)) for count in counts]

    def forward(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """Writes the batch into the cache and predicts what follows each sequence's last rows.

        Args:
            batch: What to read.
            counts: For how many rows of each sequence. [sequences]

        Returns:
            float32 logits, sequence after sequence. [sum of counts, vocab]

        Raises:
            OutOfMemory: The batch does not fit.
            TensorError: The batch contradicts itself.
            DeviceLost: The device failed, and will fail again.
        """
        if not 0 <= min(batch.token_ids) <= max(batch.token_ids) < self.config.vocab_size:
            # Torch would take a negative one from the end, and CUDA would not survive the others.
            raise TensorError(reason="a token is outside the model's vocabulary")
        with _translated(self._device), torch.inference_mode():
            return self._forward(batch, counts)


def load_forward(
    checkpoint: Checkpoint,
    *,
    name: str,
    num_blocks: int,
    block_size: int,
    device: torch.device,
    dtype: torch.dtype,
    shard: Shard = WHOLE,
    progress: Progress | None = None,
) -> Forward:
    """Loads a model, or a part of it, and makes its cache.

    Args:
        checkpoint: The model.
        name: What errors call it.
        num_blocks: Blocks in the cache.
        block_size: Tokens in a block.
        device: Where to compute.
        dtype: What to compute with.
        shard: Which part of the model.
        progress: Told the fraction that is loaded.

    Raises:
        ModelLoadError: It is damaged.
        ConfigurationError: It cannot be shared out so.
        OutOfMemory: It and its cache do not fit.
    """
    with loading(name), _translated(device):
        transformer = load_transformer(
            checkpoint, device=device, dtype=dtype, shard=shard, progress=progress
        )
        cache = KVCache(
            transformer.config,
            num_blocks=num_blocks,
            block_size=block_size,
            device=device,
            dtype=dtype,
        )
        return _forward(transformer, cache, device)


def number_bytes(device: Device, dtype: DType) -> int:
    """The bytes that a number takes in a runner that is loaded with these settings."""
    return dtype_of(dtype, device_of(device)).itemsize


def _forward(transformer: Transformer, cache: KVCache, device: torch.device) -> Forward:
    if device.type == "cuda":
        if find_spec("triton"):
            from stormproof.engine.cuda.paged_forward import PagedForward  # noqa: PLC0415

            return PagedForward(transformer, cache)
        warnings.warn("Triton is not installed: this is slow", RuntimeWarning, stacklevel=2)
    return GatheredForward(transformer, cache)


def device_of(name: Device) -> torch.device:
    """Where to compute."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype_of(name: DType, device: torch.device) -> torch.dtype:
    """What to compute with there."""
    if name != "auto":
        return _DTYPES[name]
    return torch.float32 if device.type == "cpu" else torch.bfloat16


@contextmanager
def _translated(device: torch.device) -> Iterator[None]:
    """Turns what torch raises into our errors."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(device=device.type) from error
    except torch.AcceleratorError as error:
        # Every call after a failed kernel fails too, until the process has ended.
        raise DeviceLost(str(error).partition("\n")[0]) from error
    except (RuntimeError, IndexError, ValueError) as error:
        # The CPU allocator has no error class of its own.
        if "can't allocate memory" in str(error):
            raise OutOfMemory from error
        raise TensorError(reason=str(error).partition("\n")[0]) from error
