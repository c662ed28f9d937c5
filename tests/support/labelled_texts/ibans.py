"""International bank account numbers: the structures of the registry, with national checks."""

import string
from collections.abc import Callable, Mapping
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import luhn, mod_97, weighted
from support.labelled_texts.page import Item

_UPPER: Final = string.ascii_uppercase
_FRENCH: Final = dict(zip(_UPPER, "12345678912345678923456789", strict=True))
_BELGIAN_BANKS: Final = ("001", "035", "063", "310", "363", "734")
_ITALIAN_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)


def _plain(count: int, bank: int = 0) -> Callable[[Chance], str]:
    """Return what draws letters of a bank, and digits."""
    return lambda chance: chance.of(_UPPER, bank) + chance.digits(count)


def _belgian(chance: Chance) -> str:
    digits = chance.choice(_BELGIAN_BANKS) + chance.digits(7)
    return f"{digits}{int(digits) % 97 or 97:02}"


def _spanish(chance: Chance) -> str:
    bank, account = chance.digits(8), chance.digits(10)
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
    sums = (weighted(f"00{bank}", weights), weighted(account, weights))
    checks = ["01987654321"[total % 11] for total in sums]
    return f"{bank}{''.join(checks)}{account}"


def _french(chance: Chance) -> str:
    bank, account = chance.digits(10), chance.of(string.digits + _UPPER, 11)
    digits = "".join(_FRENCH.get(character, character) for character in account)
    total = 89 * int(bank[:5]) + 15 * int(bank[5:]) + 3 * int(digits)
    return f"{bank}{account}{97 - total % 97:02}"


def _italian(chance: Chance) -> str:
    digits = chance.digits(22)
    total = sum(_ITALIAN_ODD[int(digit)] for digit in digits[::2])
    total += sum(int(digit) for digit in digits[1::2])
    return f"{_UPPER[total % 26]}{digits}"


def _portuguese(chance: Chance) -> str:
    digits = chance.digits(19)
    return f"{digits}{98 - int(digits) * 100 % 97:02}"


def _norwegian(chance: Chance) -> str:
    def drawn() -> str | None:
        digits = chance.digits(10)
        check = -weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        return None if check > 9 else f"{digits}{check}"

    return chance.until(drawn)


def _dutch(chance: Chance) -> str:
    def drawn() -> str | None:
        digits = chance.digits(9, "123456789")
        check = -weighted(digits, range(10, 1, -1)) % 11
        return None if check > 9 else f"{digits}{check}"

    return chance.of(_UPPER, 4) + chance.until(drawn)


def _polish(chance: Chance) -> str:
    sort = chance.digits(7)
    return f"{sort}{-weighted(sort, (3, 9, 7, 1, 3, 9, 7)) % 10}{chance.digits(16)}"


def _finnish(chance: Chance) -> str:
    digits = chance.digits(13, "123456")
    return digits + luhn(digits)


_ACCOUNTS: Final[Mapping[str, Callable[[Chance], str]]] = {
    "AT": _plain(16),
    "BE": _belgian,
    "CH": _plain(17),
    "DE": _plain(18),
    "DK": _plain(14),
    "ES": _spanish,
    "FI": _finnish,
    "FR": _french,
    "GB": _plain(14, bank=4),
    "IE": _plain(14, bank=4),
    "IT": _italian,
    "LI": _plain(17),
    "LU": _plain(16),
    "NL": _dutch,
    "NO": _norwegian,
    "PL": _polish,
    "PT": _portuguese,
    "SE": _plain(20),
}


def _account(chance: Chance) -> tuple[str, str, int]:
    """Return a country, an account there, and the check digits of both."""
    country = chance.choice(sorted(_ACCOUNTS))
    account = _ACCOUNTS[country](chance)
    return country, account, 98 - mod_97(f"{account}{country}00")


def _written(chance: Chance, text: str) -> str:
    return grouped(text, (4,) * (len(text) // 4), chance.choice(("", " ")))


def iban(chance: Chance) -> Item:
    country, account, check = _account(chance)
    text = _written(chance, f"{country}{check:02}{account}")
    return Item(Kind.IBAN, country.lower(), "IBAN", text)


def mistyped(chance: Chance) -> Item:
    """Return what has an IBAN's form, and other check digits."""
    country, account, check = _account(chance)
    wrong = 2 + (check - 2 + chance.randint(1, 96)) % 97
    text = _written(chance, f"{country}{wrong:02}{account}")
    return Item(None, "mistyped iban", "contract", text)
