"""Where money is kept."""

from collections.abc import Iterable
from typing import Final

from stdnum import iban, luhn

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_CARD: Final = r"\b(?:\d[ -]?){12,18}\d\b"
_IBAN: Final = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b"


def _card(text: str, start: int, end: int) -> Iterable[Finding]:
    digits = text[start:end].replace(" ", "").replace("-", "")
    if digits[0] in "23456" and luhn.is_valid(digits):
        yield Finding(Kind.CARD, start, end)


def _iban(text: str, start: int, end: int) -> Iterable[Finding]:
    if iban.is_valid(text[start:end]):
        yield Finding(Kind.IBAN, start, end, text[start : start + 2].lower())


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.CARD}), _CARD, _card),
    Recogniser(frozenset({Kind.IBAN}), _IBAN, _iban),
)
