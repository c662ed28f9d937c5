"""Check digits, computed from the published rules.

No library that a detector may check with is used here: what one of them gets wrong shows.
"""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Final

_VERHOEFF_TIMES: Final = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_VERHOEFF_MOVES: Final = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_VERHOEFF_INVERSE: Final = "0432156789"


def weighted(digits: str, weights: Iterable[int]) -> int:
    """Return the sum of digits, each times its weight; weights may go on for longer."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> str:
    """Return the digit that goes behind (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(int(d) * w, 10)) for d, w in zip(digits[::-1], cycle((2, 1))))
    return str(-sum(doubled) % 10)


def ean(digits: str) -> str:
    """Return the digit behind an even number of digits (GS1 General Specifications, 7.9)."""
    return str(-weighted(digits, cycle((1, 3))) % 10)


def verhoeff(digits: str) -> str:
    """Return the digit that goes behind (J. Verhoeff, Error Detecting Decimal Codes, 1969)."""
    check = "0"
    for place, digit in enumerate(digits[::-1], 1):
        moved = _VERHOEFF_MOVES[place % 8][int(digit)]
        check = _VERHOEFF_TIMES[int(check)][int(moved)]
    return _VERHOEFF_INVERSE[int(check)]


def mod_11_10(digits: str) -> str:
    """Return the digit that goes behind (ISO 7064, the hybrid system MOD 11,10)."""
    product = 10
    for digit in digits:
        product = (int(digit) + product) % 10 or 10
        product = product * 2 % 11
    return str((11 - product) % 10)


def mod_11_2(digits: str) -> str:
    """Return the character that goes behind (ISO 7064, MOD 11-2)."""
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11]


def mod_97(text: str) -> int:
    """Return the remainder of digits and letters, A for 10 and so on (ISO 7064, MOD 97-10)."""
    return int("".join(str(int(character, 36)) for character in text)) % 97


def two_mod_11(digits: str, first: Sequence[int], second: Sequence[int]) -> str | None:
    """Return two digits to go behind, 11 less the remainder; None if one of them would be 10."""
    one = -weighted(digits, first) % 11
    if one > 9:
        return None
    two = -weighted(f"{digits}{one}", second) % 11
    return None if two > 9 else f"{one}{two}"
