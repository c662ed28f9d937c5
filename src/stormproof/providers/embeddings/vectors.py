"""Vectors: their numbers, and their bytes as OpenAI's clients read them."""

import sys
from array import array
from collections.abc import Sequence
from math import hypot
from operator import mul
from typing import Final, TypeAlias

Vector: TypeAlias = Sequence[float]
"""A list, or an array of floats of 32 bits."""

BYTES: Final = 4
"""Of a number: a float of 32 bits, the lowest byte first."""


def from_bytes(content: bytes) -> "array[float]":
    """Return the numbers that bytes are."""
    return _swapped(array("f", content))


def to_bytes(vector: Vector) -> bytes:
    """Return the bytes of numbers."""
    return _swapped(array("f", vector)).tobytes()


def likeness(one: Vector, other: Vector) -> float:
    """Return the cosine of the angle between two vectors: 1 if they point the same way."""
    lengths = hypot(*one) * hypot(*other)
    return float(sum(map(mul, one, other))) / lengths if lengths else 0.0


def _swapped(numbers: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
