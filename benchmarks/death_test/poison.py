"""A request that ends the process which reads it, whenever it is read."""

import ctypes
import random
from collections.abc import Sequence
from typing import Any, Final

from stormproof.engine import Draw, EngineConfig, EngineCore, ModelRunner, Sampled, StepBatch
from stormproof.engine.start import load_model
from stormproof.errors import TensorError

POISON: Final = 7
"""A token that no text has."""

_WORDS: Final = range(1000, 2000)


class MortalRunner:
    """Computes as another does, but does not survive poison."""

    def __init__(self, runner: ModelRunner) -> None:
        self.config = runner.config
        self._runner = runner

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> Sequence[Sequence[Sampled | TensorError]]:
        if POISON in batch.token_ids:
            ctypes.string_at(0)  # a real segmentation fault
        return self._runner.step(batch, draws)


def mortal_core(config: EngineConfig, **options: Any) -> EngineCore:
    """Make the engine of a server that can be poisoned, as `start_core` makes that of others."""
    runner, tokenizer, num_blocks = load_model(config, **options)
    return EngineCore(MortalRunner(runner), tokenizer, config, num_blocks=num_blocks)


def poisoned_prompt(chance: random.Random) -> list[int]:
    """Return a prompt with poison somewhere in it."""
    before, after = (chance.choices(_WORDS, k=chance.randrange(100)) for _ in range(2))
    return [*before, POISON, *after]
