"""What a detector finds, and where."""

import string
import sys
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.keys.minting import mint
from stormproof.reflex.pii.detector import ALL, Detector
from stormproof.reflex.pii.finding import Finding, Kind
from support.findable import NUMBERS, PLANTED, detector, found


@pytest.mark.parametrize(("kind", "detail", "telling", "value"), PLANTED)
def test_what_is_planted_is_found_in_its_place(
    kind: Kind, detail: str | None, telling: str, value: str
) -> None:
    """Whatever letters stand before it: places are counted in characters."""
    assert found(f"Señor 😀 says: {telling.format(value)} and no more.") == [(kind, detail, value)]


@pytest.mark.parametrize(("kind", "detail", "telling", "value"), PLANTED)
def test_a_detector_of_one_kind_finds_what_one_of_all_kinds_does(
    kind: Kind, detail: str | None, telling: str, value: str
) -> None:
    """Kinds do not depend on each other."""
    [finding] = Detector({kind}).find(telling.format(value))
    assert (finding.kind, finding.detail) == (kind, detail)


def test_only_what_was_asked_for_is_found() -> None:
    """A detector of cards sees no address, and one of nothing nothing."""
    text = "a@example.com paid with 4111111111111111"
    assert [one.kind for one in Detector({Kind.CARD}).find(text)] == [Kind.CARD]
    assert not Detector(()).find(text)


EDGES = [
    "\\",
    "\u200b",
    "\u00ad",
    "\u2011",
    "é",
    "中",
    "😀",
    "\ud800",
    "x",
    "_",
    "9",
    "-",
    " ",
    "\r",
]


@given(st.data())
def test_no_text_hides_what_is_in_another(data: st.DataObject) -> None:
    """What is found in one of several may be in them, whatever they begin and end with."""
    _, _, telling, value = data.draw(st.sampled_from(PLANTED))
    edge = st.lists(st.sampled_from(EDGES), max_size=2).map("".join)
    planted = data.draw(edge) + telling.format(value) + data.draw(edge)
    texts = [data.draw(edge), planted, data.draw(edge)]
    found = any(detector().find(text) for text in texts)
    assert detector().may_be_in("\n".join(texts)) or not found


@given(st.lists(st.text('0123456789+-./:@\\nu eyJaspwdk="\n', max_size=30), max_size=5))
def test_nothing_is_hidden_among_signs(texts: list[str]) -> None:
    """Nor is what looks like the beginning of many things."""
    found = any(detector().find(text) for text in texts)
    assert detector().may_be_in("\n".join(texts)) or not found


def test_words_alone_are_seen_to_hold_nothing() -> None:
    """So most texts need no second look."""
    assert not detector().may_be_in("You are a helpful assistant.\nTell me a story in 100 words.")


def test_keys_that_are_made_here_are_found() -> None:
    """Whoever pastes one to a model has it back."""
    for _ in range(20):
        key = mint()
        assert found(f"use {key} please") == [(Kind.API_KEY, "stormproof", key)]


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is looked for."""
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.delitem(sys.modules, "stormproof.reflex.pii.detector")
    with pytest.raises(ModuleNotFoundError, match=r"stormproof\[reflex\]"):
        import_module("stormproof.reflex.pii.detector")


def test_one_thing_is_found_once() -> None:
    """A card is no telephone number, an account holds no card, a password no address."""
    assert [kind for kind, *_ in found("phone 4111111111111111")] == [Kind.CARD]
    assert [kind for kind, *_ in found("IBAN PL61 1090 1014 0000 0712 1981 2874")] == [Kind.IBAN]
    assert found("postgresql://app:pw@example.com/x") == [
        (Kind.CONNECTION_STRING, "postgresql", "pw")
    ]


def test_a_plus_before_a_card_does_not_hide_it() -> None:
    """In a form that a browser sends a plus is a space."""
    assert found("name=Ann&card=+4111111111111111") == [(Kind.CARD, "visa", "4111111111111111")]


def test_a_finding_shows_no_value() -> None:
    """Whoever writes it to a log writes no secret."""
    [finding] = detector().find("a@example.com")
    assert "example" not in repr(finding)
    assert finding == Finding(Kind.EMAIL, 0, 13)


LETTERS = st.text(st.sampled_from(string.ascii_letters + " ,\näßжあ😀\u200b\u00a0"), max_size=60)


@given(st.sampled_from(PLANTED), LETTERS, LETTERS)
def test_prose_around_changes_nothing(
    planted: tuple[Kind, str | None, str, str], before: str, after: str
) -> None:
    """A valid value of every kind is found at its place in any prose."""
    kind, _, telling, value = planted
    opening, closing = telling.split("{}")
    start = len(f"{before}\n{opening}")
    text = f"{before}\n{opening}{value}{closing}\n{after}"
    places = [(one.kind, one.start, one.end) for one in detector().find(text)]
    assert (kind, start, start + len(value)) in places


PIECES = st.sampled_from(
    [value for *_, value in PLANTED]
    + [written for *_, written in NUMBERS]
    + [
        "4",
        "1111 ",
        "-",
        ".",
        "@",
        "://",
        ":",
        "+",
        "00",
        "(",
        "\u200b",
        "é",
        "😀",
        "\ud800",
        "\\n",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80))
def test_findings_are_in_range_in_order_and_apart(text: str) -> None:
    """Whatever the text is, also one that has no encoding."""
    before = 0
    for finding in detector().find(text):
        assert before <= finding.start < finding.end <= len(text)
        assert finding.kind in ALL
        before = finding.end
