"""Fields: annotations of an error class are its keyword arguments."""

from collections.abc import Sequence

import pytest

from stormproof.errors import ClientError, Internal, OutOfBlocks, RateLimitExceeded, ValidationError


class Overbooked(ClientError):
    """More guests than seats."""

    code = "OVERBOOKED"
    template = "{seats} seats for {guests}"

    seats: int
    guests: Sequence[str]
    table: str = "any"
    till: Internal[str | None] = None


def test_fields_become_attributes() -> None:
    """What is given is there under its name, what is not has its default."""
    error = Overbooked(seats=1, guests=("a", "b"))

    assert (error.seats, error.guests, error.table, error.till) == (1, ("a", "b"), "any", None)


def test_a_missing_field_is_named() -> None:
    """Whoever raises an error learns which of its facts are missing."""
    with pytest.raises(TypeError, match="Overbooked needs seats, guests"):
        Overbooked()  # type: ignore[call-arg]


def test_an_unknown_field_is_named() -> None:
    """A misspelt field is not silently kept."""
    with pytest.raises(TypeError, match="needs guests and does not know guest"):
        Overbooked(seats=1, guest=("a",))  # type: ignore[call-arg]


def test_arguments_are_keywords_only() -> None:
    """``OutOfBlocks(3, 1)`` would say nothing to its reader."""
    with pytest.raises(TypeError):
        OutOfBlocks(3, 1)  # type: ignore[call-arg, arg-type]


def test_a_list_given_becomes_a_tuple() -> None:
    """An error is a value: changing the list afterwards does not change it."""
    guests = ["a", "b"]
    error = Overbooked(seats=1, guests=guests)
    guests.clear()

    assert error.guests == ("a", "b")


def test_a_field_of_a_subclass_may_get_a_default() -> None:
    """A subclass that knows a fact already need not be told."""

    class Full(Overbooked):
        """No seat at all."""

        code = "FULL"
        seats: int = 0

    assert str(Full(guests=("a",))) == "0 seats for a"
    assert list(Full.fields()) == list(Overbooked.fields())


def test_inherited_fields_come_first() -> None:
    """The table lists what every error has, then the class's own, in order of writing."""
    assert list(Overbooked.fields())[-4:] == ["seats", "guests", "table", "till"]


def test_fields_of_several_parents_are_united() -> None:
    """A class that is two things at once has the facts of both."""

    class FullHouse(Overbooked, ValidationError):
        """Too many guests, and one of them is unwelcome."""

        code = "FULL_HOUSE"

    error = FullHouse(seats=1, guests=("a",), reason="not invited", field="guests.0")

    assert error.details == {
        "seats": 1,
        "guests": ("a",),
        "table": "any",
        "reason": "not invited",
        "field": "guests.0",
    }


def test_an_internal_field_must_have_a_default() -> None:
    """A client rebuilds the error without it."""
    with pytest.raises(TypeError, match="till is internal and must have a default"):

        class Broken(ClientError):
            """A class that clients could not make."""

            code = "BROKEN"
            till: Internal[str]


def test_what_an_instance_is_told_stays_with_it() -> None:
    """Two errors of one class share nothing."""
    first, second = RateLimitExceeded(limit=1), RateLimitExceeded()
    first.limit = 2

    assert second.limit is None
    assert RateLimitExceeded().limit is None
