"""Numbers that states give to persons, outside of Europe."""

from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import luhn, mod_11_2, verhoeff, weighted
from support.labelled_texts.page import Item

_CHINESE_COUNTIES: Final = ("110101", "110102", "120101", "310101", "310104")
_MEXICAN_STATES: Final = ("AS", "BC", "CH", "DF", "GR", "JC", "MC", "NL", "OC", "PL", "SR", "YN")
_CURP: Final = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
_CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXYZ"


def american(chance: Chance) -> Item:
    """Return a social security number; it has no check digit."""
    area = chance.choice((chance.randint(1, 665), chance.randint(667, 899)))
    group, serial = chance.randint(1, 99), chance.randint(1, 9999)
    names = ("SSN", "social security number", "Social Security")
    return _identity("us", chance, names, f"{area:03}-{group:02}-{serial:04}")


def canadian(chance: Chance) -> Item:
    digits = chance.digits(8, "1234567")
    by = chance.choice((" ", " ", "-", ""))
    text = grouped(digits + luhn(digits), (3, 3, 3), by)
    return _identity("ca", chance, ("SIN", "social insurance number"), text)


def mexican(chance: Chance) -> Item:
    born = chance.birth()
    name = chance.choice(_CONSONANTS) + chance.choice("AEIOU") + chance.of("BCDFLMNPRSTVZ", 2)
    sex, state = chance.choice("HM"), chance.choice(_MEXICAN_STATES)
    century = chance.choice("ABC") if born.year >= 2000 else chance.choice("0123")
    text = f"{name}{born:%y%m%d}{sex}{state}{chance.of('BCDFGHLMNPRSTVZ', 3)}{century}"
    total = sum(_CURP.index(c) * (18 - place) for place, c in enumerate(text))
    return _identity("mx", chance, ("CURP",), f"{text}{-total % 10}")


def chilean(chance: Chance) -> Item:
    digits = chance.digits(8, "12")
    total = weighted(digits[::-1], (2, 3, 4, 5, 6, 7, 2, 3))
    check = "0K987654321"[total % 11]
    dotted = f"{digits[:2]}.{digits[2:5]}.{digits[5:]}"
    return _identity("cl", chance, ("RUT",), f"{chance.choice((dotted, digits))}-{check}")


def indian(chance: Chance) -> Item:
    digits = chance.digits(11, "23456789")
    text = grouped(digits + verhoeff(digits), (4, 4, 4), chance.choice((" ", " ", "")))
    return _identity("in", chance, ("Aadhaar", "Aadhaar number"), text)


def chinese(chance: Chance) -> Item:
    digits = f"{chance.choice(_CHINESE_COUNTIES)}{chance.birth():%Y%m%d}{chance.digits(3)}"
    return _identity("cn", chance, ("身份证号", "resident ID"), digits + mod_11_2(digits))


def korean(chance: Chance) -> Item:
    born = chance.birth()
    sex = chance.choice("34" if born.year >= 2000 else "12")
    digits = f"{born:%y%m%d}{sex}{chance.randint(0, 95):02}{chance.digits(3)}"
    check = (11 - weighted(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return _identity("kr", chance, ("주민등록번호", "RRN"), f"{digits[:6]}-{digits[6:]}{check}")


def japanese(chance: Chance) -> Item:
    digits = chance.digits(11)
    rest = weighted(digits[::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    text = f"{digits}{0 if rest < 2 else 11 - rest}"
    text = grouped(text, (4, 4, 4), chance.choice(("", " ", "-")))
    return _identity("jp", chance, ("マイナンバー", "My Number"), text)


def turkish(chance: Chance) -> Item:
    digits = chance.digits(9, "123456789")
    odd, even = sum(map(int, digits[::2])), sum(map(int, digits[1::2]))
    first = (7 * odd - even) % 10
    text = f"{digits}{first}{(odd + even + first) % 10}"
    return _identity("tr", chance, ("T.C. kimlik no", "TCKN"), text)


def israeli(chance: Chance) -> Item:
    digits = chance.digits(8, "0123")
    return _identity("il", chance, ("תעודת זהות", "Teudat Zehut"), digits + luhn(digits))


def south_african(chance: Chance) -> Item:
    digits = f"{chance.birth():%y%m%d}{chance.digits(4)}{chance.choice('01')}8"
    return _identity("za", chance, ("South African ID", "RSA ID number"), digits + luhn(digits))


def singaporean(chance: Chance) -> Item:
    letter, digits = chance.choice("STFG"), chance.digits(7)
    total = weighted(digits, (2, 7, 6, 5, 4, 3, 2)) + (4 if letter in "TG" else 0)
    check = ("JZIHGFEDCBA" if letter in "ST" else "XWUTRQPNMLK")[total % 11]
    return _identity("sg", chance, ("NRIC", "NRIC/FIN"), f"{letter}{digits}{check}")


def thai(chance: Chance) -> Item:
    digits = chance.digits(12, "12345678")
    check = (11 - weighted(digits, range(13, 1, -1)) % 11) % 10
    by = chance.choice(("-", "-", ""))
    text = grouped(f"{digits}{check}", (1, 4, 5, 2, 1), by)
    return _identity("th", chance, ("เลขประจำตัวประชาชน", "Thai national ID"), text)


def _identity(shape: str, chance: Chance, names: tuple[str, ...], text: str) -> Item:
    return Item(Kind.NATIONAL_ID, shape, chance.choice(names), text)


MAKERS: Final = (
    american,
    canadian,
    mexican,
    chilean,
    indian,
    chinese,
    korean,
    japanese,
    turkish,
    israeli,
    south_african,
    singaporean,
    thai,
)
