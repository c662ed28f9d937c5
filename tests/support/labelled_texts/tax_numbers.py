"""Numbers that tax offices give to persons."""

import string
from collections import Counter
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import mod_11_10, weighted
from support.labelled_texts.page import Item

_ODD_DIGITS: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_ODD_REST: Final = (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_ODD: Final = dict(
    zip(
        string.digits + string.ascii_uppercase,
        (*_ODD_DIGITS, *_ODD_DIGITS, *_ODD_REST),
        strict=True,
    )
)
_MONTHS: Final = "ABCDEHLMPRST"
_TOWNS: Final = ("H501", "F205", "F839", "L219", "A944", "D612", "G273")
_CONSONANTS: Final = "BCDFGLMNPRSTVZ"


def american(chance: Chance) -> Item:
    """Return an individual taxpayer's number; it has no check digit."""
    group = chance.choice((*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)))
    return _number("us", chance, ("ITIN",), f"9{chance.digits(2)}-{group}-{chance.digits(4)}")


def british(chance: Chance) -> Item:
    digits = chance.digits(9)
    check = "21987654321"[weighted(digits, (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11]
    text = check + digits
    text = chance.choice((text, f"{text[:5]} {text[5:]}"))
    return _number("gb", chance, ("UTR", "Unique Taxpayer Reference"), text)


def german(chance: Chance) -> Item:
    """Return ten digits of which one comes twice, and their check digit."""

    def drawn() -> str | None:
        nine = chance.sample(string.digits, 9)
        nine.insert(chance.randrange(10), chance.choice(nine))
        return None if nine[0] == "0" or max(Counter(nine).values()) > 2 else "".join(nine)

    digits = chance.until(drawn)
    text = grouped(digits + mod_11_10(digits), (2, 3, 3, 3), chance.choice((" ", "")))
    return _number("de", chance, ("Steuer-ID", "Steueridentifikationsnummer", "IdNr"), text)


def french(chance: Chance) -> Item:
    digits = chance.digits(10, "0123")
    text = f"{digits}{int(digits) % 511:03}"
    text = grouped(text, (2, 2, 3, 3, 3), chance.choice((" ", "")))
    return _number("fr", chance, ("numéro fiscal", "SPI"), text)


def italian(chance: Chance) -> Item:
    born = chance.birth()
    day = born.day + chance.choice((0, 40))
    text = f"{chance.of(_CONSONANTS, 6)}{born:%y}{_MONTHS[born.month - 1]}{day:02}"
    text += chance.choice(_TOWNS)
    even = sum(int(c) if c.isdigit() else ord(c) - ord("A") for c in text[1::2])
    total = even + sum(_ODD[c] for c in text[::2])
    return _number("it", chance, ("codice fiscale",), text + string.ascii_uppercase[total % 26])


def portuguese(chance: Chance) -> Item:
    digits = chance.digits(8, "12")
    rest = weighted(digits, range(9, 1, -1)) % 11
    text = f"{digits}{0 if rest < 2 else 11 - rest}"
    text = grouped(text, (3, 3, 3), chance.choice((" ", "")))
    return _number("pt", chance, ("NIF", "contribuinte"), text)


def polish(chance: Chance) -> Item:
    def drawn() -> str | None:
        digits = chance.digits(9, "123456789")
        check = weighted(digits, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
        return None if check > 9 else f"{digits}{check}"

    text = grouped(chance.until(drawn), (3, 3, 2, 2), chance.choice(("-", "-", "")))
    return _number("pl", chance, ("NIP",), text)


def irish(chance: Chance) -> Item:
    digits = chance.digits(7)
    check = "WABCDEFGHIJKLMNOPQRSTUV"[weighted(digits, range(8, 1, -1)) % 23]
    return _number("ie", chance, ("PPS number", "PPSN"), f"{digits}{check}")


def croatian(chance: Chance) -> Item:
    digits = chance.digits(10)
    return _number("hr", chance, ("OIB",), digits + mod_11_10(digits))


def greek(chance: Chance) -> Item:
    digits = chance.digits(8, "01")
    check = weighted(digits, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10
    return _number("gr", chance, ("ΑΦΜ", "AFM"), f"{digits}{check}")


def brazilian(chance: Chance) -> Item:
    digits = chance.digits(9)
    for first in (10, 11):
        rest = weighted(digits, range(first, 1, -1)) % 11
        digits += str(0 if rest < 2 else 11 - rest)
    written = f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"
    return _number("br", chance, ("CPF",), chance.choice((written, written, digits)))


def argentinian(chance: Chance) -> Item:
    def drawn() -> str | None:
        digits = chance.choice(("20", "23", "27")) + chance.digits(8, "1234")
        check = -weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        return None if check > 9 else f"{digits}{check}"

    text = grouped(chance.until(drawn), (2, 8, 1), chance.choice(("-", "-", "")))
    return _number("ar", chance, ("CUIT", "CUIL"), text)


def indian(chance: Chance) -> Item:
    """Return a permanent account number of a person; its check letter's rule is not public."""
    upper = string.ascii_uppercase
    digits = chance.until(lambda: None if (four := chance.digits(4)) == "0000" else four)
    text = f"{chance.of(upper, 3)}P{chance.choice(upper)}{digits}{chance.choice(upper)}"
    return _number("in", chance, ("PAN", "PAN number"), text)


def australian(chance: Chance) -> Item:
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10)

    def drawn() -> str | None:
        digits = chance.digits(9, "123456789")
        return digits if weighted(digits, weights) % 11 == 0 else None

    text = grouped(chance.until(drawn), (3, 3, 3), chance.choice((" ", " ", "")))
    return _number("au", chance, ("TFN", "tax file number"), text)


def russian(chance: Chance) -> Item:
    region = f"{chance.choice((*range(1, 80), 86, 89)):02}"
    digits = region + chance.digits(8)
    for weights in ((7, 2, 4, 10, 3, 5, 9, 4, 6, 8), (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)):
        digits += str(weighted(digits, weights) % 11 % 10)
    return _number("ru", chance, ("ИНН", "INN"), digits)


def _number(shape: str, chance: Chance, names: tuple[str, ...], text: str) -> Item:
    return Item(Kind.TAX_NUMBER, shape, chance.choice(names), text)


MAKERS: Final = (
    american,
    british,
    german,
    french,
    italian,
    portuguese,
    polish,
    irish,
    croatian,
    greek,
    brazilian,
    argentinian,
    indian,
    australian,
    russian,
)
