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
    "9999 9999 9999 9999 999",
    "9999-9999-9999-9999-999",
    "999999 9999999999999",
)
_BARE_NINETEEN: Final = "9999999999999999999"
"""As long as many identifiers are that machines give."""

_TWELVE: Final = "999999999999"
_THIRTEEN: Final = ("9999999999999", "9999 999 999 999", "9999-999-999-999")
_WORDS: Final = frozenset({"card", "visa", "credit", "debit", "karte", "carte", "tarjeta"})

_NETWORKS: Final = (
    ("visa", "4", (13, 16, 19)),
    ("mastercard", "51-55 2221-2720", (16,)),
    ("amex", "34 37", (15,)),
    ("diners", "300-305 309 36 38-39", (14, 16, 19)),
    ("discover", "6011 622126-622925 644-649 65", (16, 19)),
    ("jcb", "3528-3589", (16, 19)),
    ("jcb", "1800 2131", (15,)),
    ("unionpay", "62 81", (16, 19)),
    ("maestro", "50 56-58 60-61 63 66-69", (12, 16, 19)),
    ("mir", "2200-2204", (16, 19)),
    ("rupay", "60 82 508", (16,)),
)
"""Names, the first digits of their numbers, and how many digits those have."""


def _ranges(listed: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the first six digits."""
    for one in listed.split():
        low, _, high = one.partition("-")
        yield int(f"{low:0<6}"), int(f"{high or low:9<6}")


_RANGES: Final = tuple(
    (low, high, sizes, name) for name, listed, sizes in _NETWORKS for low, high in _ranges(listed)
)


def _network(number: str) -> str | None:
    digits = number.replace(" ", "").replace("-", "")
    first, size = int(digits[:6]), len(digits)
    for low, high, sizes, name in _RANGES:
        if low <= first <= high and size in sizes:
            return name if luhn.is_valid(digits) else None
    return None


CARD: Final = Identifier(
    Kind.CARD,
    _network,
    frozenset((*_SIXTEEN, *_FIFTEEN, *_FOURTEEN, *_NINETEEN)),
    frozenset((_TWELVE, *_THIRTEEN, _BARE_NINETEEN)),
    _WORDS,
)
