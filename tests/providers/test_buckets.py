"""Buckets count how long things took, one at a time or many together."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from stormproof.providers.buckets import Buckets

BOUNDS: Final = (0.25, 0.5, 1.0)
SECONDS: Final = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0, 1.5, 8.0])


@given(before=st.lists(SECONDS), seconds=st.lists(SECONDS))
def test_many_together_count_as_each_by_itself(before: list[float], seconds: list[float]) -> None:
    """Also those at a bound, which belong to the bucket that ends there."""
    together, by_itself = Buckets(BOUNDS), Buckets(BOUNDS)
    for one in before:
        together.observe(one)
    together.observe_all(list(seconds))
    for one in [*before, *seconds]:
        by_itself.observe(one)
    (counts, total), expected = together.cumulative(), by_itself.cumulative()
    assert counts == expected[0]
    assert abs(total - expected[1]) < 1e-9
