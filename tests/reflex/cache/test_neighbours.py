"""The nearest of the vectors that are known, in their groups."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.cache.neighbours import Neighbours, Vector

GROUPS = [bytes([number]) * 32 for number in range(3)]


def direction(*numbers: float) -> Vector:
    vector = np.array(numbers, np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_the_nearest_comes_first_and_what_is_far_not_at_all() -> None:
    known = Neighbours(10)
    for key, numbers in ((b"far", (0, 1)), (b"near", (1, 0.3)), (b"nearest", (1, 0.1))):
        known.add(GROUPS[0], key, direction(*numbers))
    assert [*known.near(GROUPS[0], direction(1, 0), 0.9)] == [b"nearest", b"near"]
    assert [*known.near(GROUPS[1], direction(1, 0), 0.9)] == []


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert [*Neighbours(4).near(GROUPS[0], direction(1, 0), 0.9)] == []
    assert [*Neighbours(4).near(bytes(32), direction(1, 0), -1.0)] == []


vectors = st.tuples(*[st.floats(-1, 1, width=32)] * 3).filter(
    lambda given: sum(map(abs, given)) > 0.1
)
known = st.tuples(st.sampled_from(GROUPS), vectors)


@given(st.lists(known, max_size=20), known, st.floats(-1, 1))
def test_it_finds_what_a_plain_search_finds(
    added: list[tuple[bytes, tuple[float, ...]]],
    sought: tuple[bytes, tuple[float, ...]],
    threshold: float,
) -> None:
    """Of the last that were added; those before made room."""
    most = 8
    index = Neighbours(most)
    for number, (group, numbers) in enumerate(added):
        index.add(group, b"%d" % number, direction(*numbers))
    group, numbers = sought
    vector = direction(*numbers)
    plain = {
        b"%d" % number: float(direction(*one) @ vector)
        for number, (its, one) in [*enumerate(added)][-most:]
        if its == group
    }
    found = [*index.near(group, vector, threshold)]
    slack = 1e-5
    assert {key for key, close in plain.items() if close > threshold + slack} <= {*found}
    assert {*found} <= {key for key, close in plain.items() if close > threshold - slack}
    closeness = [plain[key] for key in found]
    assert all(one >= other - slack for one, other in pairwise(closeness))
