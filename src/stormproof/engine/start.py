"""From settings to an engine that can answer."""

from pathlib import Path

from stormproof.engine.architecture import ModelConfig
from stormproof.engine.core import EngineCore
from stormproof.engine.loading import Progress
from stormproof.engine.settings import EngineConfig
from stormproof.errors import ConfigurationError


def start_core(config: EngineConfig, *, progress: Progress | None = None) -> EngineCore:
    """Load a model and set up an engine around it.

    Args:
        config: What to load, and how.
        progress: Told the fraction that is loaded.

    Raises:
        ConfigurationError: The memory for the cache is too small for this model.
        ModelLoadError: The model cannot be used.
        OutOfMemory: It and its cache do not fit.
    """
    # What computes is heavy: programs that only speak of an engine do without it.
    from stormproof.engine.checkpoint import open_checkpoint  # noqa: PLC0415
    from stormproof.engine.runner import TorchRunner, number_bytes  # noqa: PLC0415

    path = Path(config.model).expanduser()
    checkpoint = open_checkpoint(path)
    tokenizer = checkpoint.tokenizer()
    num_blocks = config.num_blocks or blocks_within(
        config, checkpoint.config, number_bytes(config.device, config.dtype)
    )
    runner = TorchRunner.from_checkpoint(
        checkpoint,
        name=path.name,
        num_blocks=num_blocks,
        block_size=config.block_size,
        device=config.device,
        dtype=config.dtype,
        progress=progress,
    )
    return EngineCore(runner, tokenizer, config, num_blocks=num_blocks)


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
