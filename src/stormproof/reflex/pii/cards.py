"""Payment cards, by the ranges of their networks and their check digit."""

from collections.abc import Iterator
from typing import Final

from stdnum import luhn

from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.pictures import Identifier

_SIXTEEN: Final = ("9999999999999999", "9999 9999 9999 9999", "9999-9999-9999-9999")
_FIFTEEN: Final = ("999999999999999", "9999 999999 99999", "9999-999999-99999")
_FOURTEEN: Final = ("99999999999999", "9999 999999 9999", "9999-999999-9999")
_NINETEEN: Final = (
    "9999999999999999999",
    "9999 9999 9999 9999 999",
    "9999-9999-9999-9999-999",
    "999999 9999999999999",
)
_THIRTEEN: Final = ("9999999999999", "9999 999 999 999", "9999-999-999-999")
_WORDS: Final = frozenset({"card", "visa", "credit", "debit", "karte", "carte", "tarjeta"})

_NETWORKS: Final = (
    ("visa", "4"),
    ("mastercard", "51-55 2221-2720"),
    ("amex", "34 37"),
    ("diners", "300-305 309 36 38-39"),
    ("discover", "6011 622126-622925 644-649 65"),
    ("jcb", "3528-3589 1800 2131"),
    ("unionpay", "62 81"),
    ("maestro", "50 56-58 60-61 63 66-69"),
    ("mir", "2200-2204"),
    ("rupay", "60 82 508"),
)
"""Names, and the first digits of their numbers."""


def _ranges(listed: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the first six digits."""
    for one in listed.split():
        low, _, high = one.partition("-")
        yield int(f"{low:0<6}"), int(f"{high or low:9<6}")


_RANGES: Final = tuple((*bounds, name) for name, listed in _NETWORKS for bounds in _ranges(listed))


def _network(number: str) -> str | None:
    digits = number.replace(" ", "").replace("-", "")
    first = int(digits[:6])
    name = next((name for low, high, name in _RANGES if low <= first <= high), None)
    return name if name and luhn.is_valid(digits) else None


CARD: Final = Identifier(
    Kind.CARD,
    _network,
    frozenset((*_SIXTEEN, *_FIFTEEN, *_FOURTEEN, *_NINETEEN)),
    frozenset(_THIRTEEN),
    _WORDS,
)
