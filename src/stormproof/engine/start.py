"""From settings to an engine that can answer."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stormproof.engine.checkpoints.architecture import ModelConfig
from stormproof.engine.checkpoints.loading import Progress
from stormproof.engine.core import EngineCore
from stormproof.engine.drafting.draft_model import DraftModel
from stormproof.engine.pytorch.hardware import has_gpu, has_torch, usable_cores
from stormproof.engine.scheduling.batch import ModelRunner
from stormproof.engine.settings import EngineConfig
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import ConfigurationError

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.checkpoint import Checkpoint


def start_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Load a model and set up an engine around it.

    On a CPU the native step runs it, or PyTorch with a warning where there is none.

    Args:
        config: What to load, and how.
        progress: Told the fraction that is loaded.
        memory: Where to leave packed weights for a process that starts later, or find them; a
            descriptor that `shared_memory` gave.

    Raises:
        ConfigurationError: The memory for the cache is too small for this model, there is nothing
            that could run it, or the draft model has another vocabulary.
        ModelLoadError: The model cannot be used.
        OutOfMemory: It and its cache do not fit.
    """
    runner, tokenizer, num_blocks = load_model(config, progress, memory)
    drafter = None
    if config.draft_model is not None:
        own = replace(config, model=config.draft_model, draft_model=None, num_blocks=num_blocks)
        drafter = _draft_model(replace(own, adapter=None, tensor_parallel=1), tokenizer)
    return EngineCore(runner, tokenizer, config, num_blocks=num_blocks, drafter=drafter)


def load_model(
    config: EngineConfig, progress: Progress | None = None, memory: int | None = None
) -> tuple[ModelRunner, Tokenizer, int]:
    """Load a model; returns it with its tokenizer, and how many blocks its cache has.

    The arguments and errors are those of `start_core`.
    """
    checkpoint = open_model(config)
    if _is_native(config, checkpoint.config):
        runner, num_blocks = _native_runner(checkpoint, config, progress, memory)
    else:
        runner, num_blocks = _torch_runner(checkpoint, config, progress)
    return runner, checkpoint.tokenizer(), num_blocks


def open_model(config: EngineConfig) -> "Checkpoint":
    """Open the model that the settings name, with its adapter if there is one.

    Raises:
        ModelLoadError: It cannot be used.
    """
    # What computes is heavy: programs that only speak of an engine do without it.
    from stormproof.engine.checkpoints.checkpoint import open_checkpoint  # noqa: PLC0415
    from stormproof.engine.checkpoints.lora import AdaptedCheckpoint  # noqa: PLC0415

    checkpoint = open_checkpoint(Path(config.model).expanduser())
    if config.adapter is None:
        return checkpoint
    return AdaptedCheckpoint(checkpoint, Path(config.adapter).expanduser())


def _draft_model(config: EngineConfig, tokenizer: Tokenizer) -> DraftModel:
    """Load the model that guesses, with a cache like that of the model it guesses for.

    Raises:
        ConfigurationError: Its tokens are not those of the model.
    """
    if _vocabulary(open_model(config).tokenizer()) != _vocabulary(tokenizer):
        reason = "its vocabulary is not that of the model"
        raise ConfigurationError(setting="draft_model", reason=reason)
    runner, _, _ = load_model(config)
    return DraftModel(runner, block_size=config.block_size, step_tokens=config.max_step_tokens)


def _vocabulary(tokenizer: Tokenizer) -> list[bytes]:
    return [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]


def _is_native(config: EngineConfig, model: ModelConfig) -> bool:
    """Decide who computes: the native step, or PyTorch."""
    from stormproof.engine.native.runner import why_not_native  # noqa: PLC0415

    if config.device == "cuda" or (config.device == "auto" and has_gpu()):
        why = "GPUs do not have it"
    elif config.tensor_parallel > 1:
        why = "it is not shared by several processes"
    elif (found := why_not_native(model, config.block_size)) is None:
        return True
    else:
        why = found
    lack = f"no native step, because {why}"
    if not has_torch():
        reason = f"{lack}; and PyTorch is not installed: pip install 'stormproof[torch]'"
        raise ConfigurationError(setting="device", reason=reason)
    if config.dtype == "int4":
        raise ConfigurationError(setting="dtype", reason=f"{lack}; and PyTorch has no int4")
    if config.device != "cuda" and not has_gpu():
        warnings.warn(f"{lack}; PyTorch computes, slower", RuntimeWarning, stacklevel=3)
    return False


def _native_runner(
    checkpoint: "Checkpoint",
    config: EngineConfig,
    progress: Progress | None,
    memory: int | None,
) -> tuple[ModelRunner, int]:
    from stormproof.engine.native.runner import NUMBER_BYTES, NativeRunner  # noqa: PLC0415

    num_blocks = config.num_blocks or blocks_within(config, checkpoint.config, NUMBER_BYTES)
    runner = NativeRunner.from_checkpoint(
        checkpoint,
        name=Path(config.model).name,
        num_blocks=num_blocks,
        block_size=config.block_size,
        max_rows=config.max_step_tokens,
        threads=config.threads or usable_cores(),
        dtype=config.dtype,
        memory=memory,
        progress=progress,
    )
    return runner, num_blocks


def _torch_runner(
    checkpoint: "Checkpoint", config: EngineConfig, progress: Progress | None
) -> tuple[ModelRunner, int]:
    from stormproof.engine.pytorch.runner import TorchRunner, number_bytes  # noqa: PLC0415
    from stormproof.engine.pytorch.shard import Shard  # noqa: PLC0415
    from stormproof.engine.pytorch.tensor_parallel import parallel_runner  # noqa: PLC0415

    shard = Shard(0, config.tensor_parallel)
    size = number_bytes(config.device, config.dtype)
    num_blocks = config.num_blocks or blocks_within(config, shard.of(checkpoint.config), size)
    if shard.count > 1:
        shared = parallel_runner(checkpoint, config, num_blocks=num_blocks, progress=progress)
        return shared, num_blocks
    runner = TorchRunner.from_checkpoint(
        checkpoint,
        name=Path(config.model).name,
        num_blocks=num_blocks,
        block_size=config.block_size,
        device=config.device,
        dtype=config.dtype,
        threads=config.threads,
        progress=progress,
    )
    return runner, num_blocks


def blocks_within(config: EngineConfig, model: ModelConfig, number_bytes: int) -> int:
    """Count the cache blocks that ``cache_bytes`` hold, but no more than could ever be used.

    Args:
        config: The memory, and how many sequences share it.
        model: What a token's keys and values are made of.
        number_bytes: What one of their numbers takes.

    Raises:
        ConfigurationError: It holds none.
    """
    token_bytes = 2 * model.layers * model.kv_heads * model.head_dim * number_bytes
    blocks = config.cache_bytes // (config.block_size * token_bytes)
    if not blocks:
        reason = f"a block of this model's cache has {config.block_size * token_bytes} bytes"
        raise ConfigurationError(setting="cache_bytes", reason=reason)
    usable = config.max_sequences * -(-model.max_context // config.block_size)
    return min(blocks, usable)
