"""Numbers of states, by the rules of each."""

import os
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.cards import CARD
from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.identifiers import IDENTIFIERS
from stormproof.reflex.pii.phones import NATIONAL
from support.findable import NUMBERS, found

NUMBERED = (CARD, NATIONAL, *IDENTIFIERS)
PICTURED = sorted(
    (one, picture)
    for one, identifier in enumerate(NUMBERED)
    for picture in identifier.telling | identifier.vague
)

READING = """
import sys
from support.findable import NUMBERS, detector

detector()
opened = []
sys.addaudithook(lambda event, about: opened.append(about[0]) if event == "open" else None)
for _, _, written in NUMBERS:
    assert detector().find(written)
sys.exit(", ".join(map(str, opened)) or None)
"""


@pytest.mark.parametrize(("kind", "country", "written"), NUMBERS)
def test_numbers_of_states_are_found(kind: Kind, country: str, written: str) -> None:
    """By their form, or by the words before them."""
    [(what, whose, number)] = found(f"As you asked: {written}. Thank you!")
    assert (what, whose) == (kind, country)
    assert written.endswith(number)


def test_numbers_of_many_states_are_told() -> None:
    """There are more of them than we promise."""
    assert len({country for _, country, _ in NUMBERS}) >= 30


def test_no_request_waits_for_a_table() -> None:
    """Of the places that a state's rule knows: they are read when a detector is made."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", READING]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@given(st.data(), st.sampled_from(PICTURED))
def test_no_number_is_too_much_for_a_rule(data: st.DataObject, pictured: tuple[int, str]) -> None:
    """What only has the form of a number has whatever digits and letters it likes."""
    one, picture = pictured
    alphabets = {"9": string.digits, "A": string.ascii_letters}
    drawn = [data.draw(st.sampled_from(alphabets.get(sign, sign))) for sign in picture]
    giver = NUMBERED[one].giver("".join(drawn))
    assert giver is None or giver.islower() or not giver


def test_a_number_that_a_rule_does_not_expect_is_not_valid() -> None:
    """As one of a county that China has not."""
    assert not found("643872379501147470")
