"""Random numbers belong to a seed and a position."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.sampling.randomness import uniform


def test_it_is_splitmix64() -> None:
    """The published stream of seed 1234567, cut to the 53 bits of a float."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [uniform(1234567, i) for i in range(3)] == [(n >> 11) / 2**53 for n in published]


@given(seed=st.integers(-(2**70), 2**70), position=st.integers(0, 2**40))
def test_it_is_repeatable_and_below_one(seed: int, position: int) -> None:
    number = uniform(seed, position)
    assert 0 <= number < 1
    assert number == uniform(seed, position) == uniform(seed % 2**64, position)


def test_neighbouring_seeds_have_unrelated_numbers() -> None:
    numbers = [uniform(seed, 9) for seed in range(4000)]
    assert abs(statistics.mean(numbers) - 0.5) < 0.02
    assert abs(statistics.correlation(numbers[1:], numbers[:-1])) < 0.05
