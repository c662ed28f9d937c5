"""Payment cards, by the ranges of their networks and their check digit."""

from functools import partial
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
_WORDS: Final = frozenset(
    {"card", "visa", "credit", "debit", "karte", "carte", "tarjeta", "maestro"}
)

_NETWORKS: Final = (
    ("visa", "4", (*_SIXTEEN, *_NINETEEN), _THIRTEEN),
    ("mastercard", "51-55 2221-2720", _SIXTEEN, ()),
    ("amex", "34 37", _FIFTEEN, ()),
    ("diners", "300-305 309 36 38-39", (*_FOURTEEN, *_SIXTEEN), ()),
    ("discover", "6011 622126-622925 644-649 65", (*_SIXTEEN, *_NINETEEN), ()),
    ("jcb", "3528-3589", (*_SIXTEEN, *_NINETEEN), ()),
    ("jcb", "1800 2131", _FIFTEEN, ()),
    ("unionpay", "62 81", (*_SIXTEEN, *_NINETEEN), ("99999999999999999", "999999999999999999")),
    ("maestro", "50 56-58 60-61 63 66-69", (*_SIXTEEN, *_NINETEEN), (*_THIRTEEN, "999999999999")),
    ("mir", "2200-2204", _SIXTEEN, ()),
    ("rupay", "60 82 508", _SIXTEEN, ()),
)
"""Names, first digits, forms that tell, and forms that count near words only."""


def _ranges(listed: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of the first six digits."""
    bounds = (one.partition("-") for one in listed.split())
    return tuple((int(f"{low:0<6}"), int(f"{high or low:9<6}")) for low, _, high in bounds)


def _valid(ranges: tuple[tuple[int, int], ...], number: str) -> bool:
    digits = number.replace(" ", "").replace("-", "")
    issuer = int(digits[:6])
    return any(low <= issuer <= high for low, high in ranges) and luhn.is_valid(digits)


CARDS: Final = tuple(
    Identifier(
        Kind.CARD,
        name,
        partial(_valid, _ranges(ranges)),
        frozenset(telling),
        frozenset(vague),
        _WORDS,
    )
    for name, ranges, telling, vague in _NETWORKS
)
