"""Vectors are the same numbers in every form."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.providers.embeddings.vectors import from_bytes, likeness, to_bytes

NUMBERS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=64)


@given(NUMBERS)
def test_numbers_come_back_from_their_bytes(numbers: list[float]) -> None:
    assert list(from_bytes(to_bytes(numbers))) == numbers


@given(NUMBERS)
def test_the_lowest_byte_is_first(numbers: list[float]) -> None:
    """Whatever machine this is."""
    assert to_bytes(numbers) == struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [([1, 0], [3, 0], 1), ([1, 0], [0, 2], 0), ([1, 1], [-2, -2], -1), ([0, 0], [1, 0], 0)],
)
def test_vectors_are_alike_that_point_the_same_way(
    one: list[float], other: list[float], alike: float
) -> None:
    """However long they are."""
    assert likeness(one, other) == pytest.approx(alike)
