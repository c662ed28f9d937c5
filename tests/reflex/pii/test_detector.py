"""What a detector finds, and where."""

import pytest

from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.finding import Kind

PLANTED = [
    (Kind.EMAIL, "anna.schmidt+news@mail.example.com"),
    (Kind.CARD, "4111 1111 1111 1111"),
    (Kind.IBAN, "DE89 3704 0044 0532 0130 00"),
    (Kind.IP_ADDRESS, "192.168.17.4"),
]


@pytest.mark.parametrize(("kind", "value"), PLANTED)
def test_what_is_planted_is_found_in_its_place(kind: Kind, value: str) -> None:
    """Whatever letters stand before it: places are counted in characters."""
    text = f"Señor 😀 wrote: {value}, and no more."
    assert [(one.kind, text[one.start : one.end]) for one in Detector().find(text)] == [
        (kind, value)
    ]


def test_only_what_was_asked_for_is_found() -> None:
    """A detector of cards sees no address."""
    text = "a@example.com paid with 4111111111111111"
    assert [one.kind for one in Detector({Kind.CARD}).find(text)] == [Kind.CARD]
