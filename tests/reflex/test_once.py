"""What is found out once."""

import pytest

from stormproof.reflex.once import Once


class Counting:
    def __init__(self) -> None:
        self.asked = 0

    @Once
    def answer(self) -> int:
        """The answer."""
        self.asked += 1
        if self.asked == 1:
            raise LookupError
        return 42


def test_it_is_found_when_it_is_first_asked_for() -> None:
    """And for each object by itself; what could not be found is looked for again."""
    one, other = Counting(), Counting()
    for asked in (one, other):
        assert asked.asked == 0
        with pytest.raises(LookupError):
            assert asked.answer
        assert [asked.answer, asked.answer] == [42, 42]
        assert asked.asked == 2


def test_a_class_tells_what_it_is() -> None:
    assert Counting.answer.__doc__ == "The answer."
