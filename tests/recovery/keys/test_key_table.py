"""A bounded table whose keys come from outside."""

from hypothesis import given
from hypothesis import strategies as st

from stormproof.recovery.keys.key_table import KeyTable

KEYS = st.integers(0, 6)


class Made:
    """Makes a value for a key, and remembers for which."""

    def __init__(self) -> None:
        self.keys: list[int] = []

    def __call__(self, key: int) -> tuple[int, int]:
        self.keys.append(key)
        return key, len(self.keys)


@given(st.lists(KEYS), st.integers(1, 5))
def test_it_never_holds_more_than_it_may_and_always_what_was_asked_for_last(
    keys: list[int], most: int
) -> None:
    made = Made()
    table = KeyTable(made, most)
    for key in keys:
        value = table.entry(key).value
        assert table.values()[key] == value
        assert table.entry(key).value == value
        assert len(table.values()) <= most


@given(st.lists(KEYS))
def test_while_there_is_room_every_value_is_made_once(keys: list[int]) -> None:
    made = Made()
    table = KeyTable(made, 7)
    for key in keys:
        table.entry(key)
    assert sorted(made.keys) == sorted(set(keys))


@given(st.integers(2, 5), st.integers(0, 30))
def test_keys_that_come_once_push_out_none_that_is_in_use(most: int, others: int) -> None:
    made = Made()
    table = KeyTable(made, most)
    for other in range(1, others + 1):
        table.entry(0)
        table.entry(0)
        table.entry(other)
    assert made.keys.count(0) == min(others, 1)


def test_of_those_not_used_again_the_oldest_goes() -> None:
    table = KeyTable(Made(), 3)
    for key in (1, 2, 3, 1, 4):
        table.entry(key)
    assert set(table.values()) == {1, 3, 4}


def test_a_key_in_use_is_there_at_every_moment() -> None:
    """It is looked up without a lock, so also while the hand comes by."""
    lookups: list[int] = []

    class Key(int):
        def __hash__(self) -> int:
            while lookups:
                table.entry(Key(lookups.pop()))
            return int(self)

        __eq__ = int.__eq__

    made = Made()
    table = KeyTable(made, 2)
    for key in (1, 1, 2):
        table.entry(Key(key))
    lookups.append(1)
    table.entry(3)
    assert not lookups
    assert made.keys == [1, 2, 3]
