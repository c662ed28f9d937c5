"""Texts are read as they look, and findings stand where they stand in the text as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.folding import folded
from support.findable import found


@pytest.mark.parametrize(
    "written",
    [
        "".join(chr(0xFEE0 + ord(digit)) for digit in "4111111111111111"),
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20131111\u20131111\u20131111",
        "41\u200b1111111111\u00ad1111",
        "\u0664" + "\u0661" * 15,
    ],
)
def test_what_looks_like_a_number_is_one(written: str) -> None:
    """Other scripts' digits, odd spaces and dashes, and characters that nobody sees."""
    assert found(f"\u200bpaid\u200b with {written}, 😀") == [(Kind.CARD, "visa", written)]


def test_what_json_escapes_does_not_hide_anything() -> None:
    """Arguments of tools are JSON, in which a line ends with two characters."""
    assert found(r'{"note": "hi\n4111111111111111\u00a0"}') == [
        (Kind.CARD, "visa", "4111111111111111")
    ]


SEEN = st.sampled_from(["4", "a", " ", "é", "😀", "\u0664", "\u00a0", "\u2013"])
UNSEEN = st.sampled_from(["\u200b", "\u00ad", "\ufeff"])


@given(st.lists(SEEN | UNSEEN, min_size=1))
def test_every_character_is_found_again_in_the_text_as_it_was(characters: list[str]) -> None:
    """However many there are before it that nobody sees."""
    seen = [place for place, one in enumerate(characters) if one not in "\u200b\u00ad\ufeff"]
    read = folded("".join(characters))
    assert len(read.text) == len(seen)
    for place, original in enumerate(seen):
        finding = read.in_original(Finding(Kind.CARD, place, place + 1))
        assert (finding.start, finding.end) == (original, original + 1)
