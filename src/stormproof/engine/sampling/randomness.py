"""Random numbers that depend on a request and a position, and on nothing else.

A generator with a state would give a token different luck when its request is batched with others,
preempted, or continued elsewhere. Here the number for a position is looked up rather than drawn: it
is output number ``position`` of SplitMix64 (Steele, Lea, Flood 2014,
https://doi.org/10.1145/2660193.2660195), whose state merely counts and so can be jumped to.
"""

from typing import Final

_WORD: Final = 2**64 - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_BITS: Final = 53  # as many as a float holds
_SCALE: Final = 2.0**_BITS


def uniform(seed: int, position: int) -> float:
    """Return the number in [0, 1) that belongs to a position of the stream of a seed.

    Args:
        seed: Any integer; its lowest 64 bits count.
        position: Index into the stream, from 0.
    """
    word = (seed + (position + 1) * _GOLDEN) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return ((word ^ (word >> 31)) >> (64 - _BITS)) / _SCALE
