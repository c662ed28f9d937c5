"""A scripted model behind the real engine, for making any situation on demand."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from stormproof.engine.core import EngineCore
from stormproof.engine.drafting.speculation import Drafter
from stormproof.engine.pytorch.sampler import sample
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.settings import EngineConfig
from stormproof.errors import TensorError
from support.byte_tokenizer import VOCAB, byte_tokenizer
from support.cache_runner import CacheRunner

Script: TypeAlias = Callable[[list[int]], "int | torch.Tensor"]
"""What follows a context: a token, or the logits of all of them; or it raises."""


class ScriptedRunner(CacheRunner):
    """A model that writes what its script says."""

    def __init__(self, script: Script, *, num_blocks: int, block_size: int) -> None:
        super().__init__(num_blocks=num_blocks, block_size=block_size)
        self._script = script

    def choose(self, context: list[int], draws: Sequence[Draw]) -> list[Sampled | TensorError]:
        """Choose after each of the last rows; the script sees every context once at least."""
        rows = range(len(context) - max(len(draws), 1) + 1, len(context) + 1)
        logits = torch.stack([self._logits(context[:end]) for end in rows])
        return sample(logits, draws) if draws else []

    def _logits(self, context: list[int]) -> torch.Tensor:
        wanted = self._script(context)
        if isinstance(wanted, torch.Tensor):
            return wanted
        return torch.zeros(VOCAB).index_fill(0, torch.tensor(wanted), 20.0)


def babble(context: list[int]) -> int:
    """Write letters that depend on every token before."""
    state = 7
    for token in context:
        state = (state * 31 + token + 1) % 65_521
    return ord("a") + state % 26


def make_core(
    script: Script = babble,
    *,
    num_blocks: int = 16,
    block_size: int = 4,
    drafter: Drafter | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    entropy: Callable[[int], int] = lambda _: 0,
    **settings: Any,
) -> EngineCore:
    """Make an engine around a scripted model, with a cache of 64 tokens unless told otherwise."""
    return EngineCore(
        ScriptedRunner(script, num_blocks=num_blocks, block_size=block_size),
        byte_tokenizer(),
        EngineConfig(model="scripted", block_size=block_size, **{"speculation": "off"} | settings),
        num_blocks=num_blocks,
        drafter=drafter,
        clock=clock,
        entropy=entropy,
    )
