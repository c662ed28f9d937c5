"""Draws are written down only if the library can read them to their end."""

import pytest

from stormproof.engine.native.draw_memory import DrawMemory
from stormproof.engine.sampling.draw import Draw
from stormproof.engine.sampling.params import SamplingParams
from stormproof.errors import TensorError

GREEDY = SamplingParams(temperature=0)


def test_a_mask_is_of_whole_words() -> None:
    """The library reads 32 tokens at a time, also the last."""
    memory = DrawMemory(2, vocab=33)
    with pytest.raises(TensorError, match="mask"):
        memory.add(0, Draw(GREEDY, 0, 1, allowed=bytes(5)))
    memory.add(0, Draw(GREEDY, 0, 1, allowed=bytes(8)))
    assert len(memory) == 1
