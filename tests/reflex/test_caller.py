"""Who asks, and on whose behalf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex import Caller
from stormproof.reflex.caller import printable

CALLER = Caller("t", "k", address="1.1.1.1")


def test_a_request_may_say_on_whose_behalf_it_is() -> None:
    assert CALLER.asking({"user": "ann"}) == Caller("t", "k", "ann", "1.1.1.1")


@pytest.mark.parametrize("document", [{}, {"user": None}, {"user": 5}, {"user": ""}])
def test_it_need_not(document: dict[str, object]) -> None:
    assert CALLER.asking(document) == CALLER


def test_who_is_known_already_stays_so() -> None:
    """A proxy may have said so in a header, which knows better."""
    known = Caller(user="ann")
    assert known.asking({"user": "bob"}) is known


@given(st.text())
def test_a_name_can_be_printed_and_is_not_too_long(name: str) -> None:
    """Whatever a client says; a name like that stays as it is."""
    shown = printable(name)
    assert shown.isprintable()
    assert len(shown) <= 200
    assert printable(shown) == shown
    assert shown == name or not (name.isprintable() and len(name) <= 200)
