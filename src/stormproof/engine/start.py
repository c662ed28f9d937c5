"""From settings to an engine that can answer."""

from pathlib import Path
from typing import Final

from stormproof.engine.architecture import ModelConfig
from stormproof.engine.checkpoint import open_checkpoint
from stormproof.engine.core import EngineCore
from stormproof.engine.runner import TorchRunner
from stormproof.engine.settings import EngineConfig
from stormproof.engine.transformer_loading import Progress
from stormproof.errors import ConfigurationError

_WIDEST_NUMBER: Final = 4
_NUMBER_BYTES: Final = {"bfloat16": 2, "float16": 2}


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
    path = Path(config.model).expanduser()
    checkpoint = open_checkpoint(path)
    tokenizer = checkpoint.tokenizer()
    num_blocks = config.num_blocks or blocks_within(config, checkpoint.config)
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


def blocks_within(config: EngineConfig, model: ModelConfig) -> int:
    """Count the cache blocks that ``cache_bytes`` hold, but no more than could ever be used.

    Args:
        config: The memory, and how many sequences share it.
        model: What a token's keys and values are made of.

    Raises:
        ConfigurationError: It holds none.
    """
    number_bytes = _NUMBER_BYTES.get(config.dtype, _WIDEST_NUMBER)
    token_bytes = 2 * model.layers * model.kv_heads * model.head_dim * number_bytes
    blocks = config.cache_bytes // (config.block_size * token_bytes)
    if not blocks:
        reason = f"a block of this model's cache has {config.block_size * token_bytes} bytes"
        raise ConfigurationError(setting="cache_bytes", reason=reason)
    usable = config.max_sequences * -(-model.max_context // config.block_size)
    return min(blocks, usable)
