"""Names of users that say who they are are kept nowhere."""

import pytest

from stormproof.reflex import Caller
from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.pseudonyms import Pseudonyms, is_pseudonym

FINDER = Detector()
ONE = Pseudonyms(FINDER, b"one")


def name(user: str, tenant: str = "t", names: Pseudonyms = ONE) -> str:
    return names.known(Caller(tenant, "k", user, "10.0.0.1")).user or ""


@pytest.mark.parametrize("caller", [Caller(), Caller("t", "k", "ann"), Caller(user="u-17 (b)")])
def test_who_is_known_by_nothing_personal_stays_as_he_is(caller: Caller) -> None:
    assert ONE.known(caller) is caller


@pytest.mark.parametrize("user", ["ann@example.com", "Ann <ann@example.com>"])
def test_who_is_goes_by_a_name_that_says_nothing_but_of_which_kind_his_own_is(user: str) -> None:
    """All else that is known of him stays."""
    known = ONE.known(Caller("t", "k", user, "10.0.0.1"))
    assert known == Caller("t", "k", known.user, "10.0.0.1")
    assert known.user
    assert known.user.startswith("email-")
    assert is_pseudonym(known.user)
    assert "ann" not in known.user.removeprefix("email-")


def test_the_same_user_has_the_same_name_wherever_the_secret_is() -> None:
    """And no other user, tenant or secret makes it."""
    user = "ann@example.com"
    assert name(user) == name(user, names=Pseudonyms(FINDER, b"one"))
    others = [
        name("bob@example.com"),
        name(user, tenant="other"),
        name(f"t{user}", tenant=""),
        name(user, names=Pseudonyms(FINDER, b"two")),
    ]
    assert len({name(user), *others}) == 5


@pytest.mark.parametrize("text", ["ann@example.com", "email-0123", "ann-0123456789abcdef", ""])
def test_not_everything_is_taken_for_one(text: str) -> None:
    assert not is_pseudonym(text)
