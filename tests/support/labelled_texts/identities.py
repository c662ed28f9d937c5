"""Numbers that states and their health services give to persons, in Europe."""

from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import ean, luhn, two_mod_11, weighted
from support.labelled_texts.page import Item

_DNI: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def british_insurance(chance: Chance) -> Item:
    """Return a national insurance number; it has no check digit."""

    def drawn() -> str | None:
        prefix = chance.choice("ABCEGHJKLMNOPRSTWXYZ") + chance.choice("ABCEGHJKLMNPRSTWXYZ")
        return None if prefix in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"} else prefix

    text = f"{chance.until(drawn)}{chance.digits(6)}{chance.choice('ABCD')}"
    if chance.often(0.5):
        text = grouped(text, (2, 2, 2, 2, 1), " ")
    return _identity("gb insurance", chance, ("National Insurance number", "NINO"), text)


def british_health(chance: Chance) -> Item:
    def drawn() -> str | None:
        digits = chance.digits(9, "46789")
        check = -weighted(digits, range(10, 1, -1)) % 11
        return None if check > 9 else f"{digits}{check}"

    text = grouped(chance.until(drawn), (3, 3, 4), chance.choice((" ", " ", "-", "")))
    return _identity("gb health", chance, ("NHS number", "NHS no."), text)


def french(chance: Chance) -> Item:
    born, sex = chance.birth(), chance.choice("12")
    department, rest = chance.randint(21, 95), (chance.randint(1, 500), chance.randint(1, 500))
    digits = f"{sex}{born:%y%m}{department}{rest[0]:03}{rest[1]:03}"
    key = f"{97 - int(digits) % 97:02}"
    text = grouped(digits + key, (1, 2, 2, 2, 3, 3, 2), chance.choice((" ", " ", "")))
    return _identity("fr", chance, ("numéro de sécurité sociale", "NIR"), text)


def spanish(chance: Chance) -> Item:
    digits = chance.digits(8)
    by = chance.choice(("", "", "-"))
    text = f"{digits}{by}{_DNI[int(digits) % 23]}"
    return _identity("es", chance, ("DNI", "NIF"), text)


def spanish_foreigner(chance: Chance) -> Item:
    letter, digits = chance.choice("XYZ"), chance.digits(7)
    number = int(f"{'XYZ'.index(letter)}{digits}")
    by = chance.choice(("", "", "-"))
    return _identity("es foreigner", chance, ("NIE",), by.join((letter, digits, _DNI[number % 23])))


def dutch(chance: Chance) -> Item:
    def drawn() -> str | None:
        digits = chance.digits(8, "12345678")
        check = weighted(digits, range(9, 1, -1)) % 11
        return None if check > 9 else f"{digits}{check}"

    return _identity("nl", chance, ("BSN", "burgerservicenummer"), chance.until(drawn))


def belgian(chance: Chance) -> Item:
    born = chance.birth()
    digits = f"{born:%y%m%d}{chance.randint(1, 997):03}"
    check = 97 - int(f"{'2' if born.year >= 2000 else ''}{digits}") % 97
    written = f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}-{digits[6:]}.{check:02}"
    text = chance.choice((written, written, f"{digits}{check:02}"))
    return _identity("be", chance, ("rijksregisternummer", "numéro national"), text)


def polish(chance: Chance) -> Item:
    born = chance.birth()
    month = born.month + (20 if born.year >= 2000 else 0)
    digits = f"{born:%y}{month:02}{born:%d}{chance.digits(4)}"
    check = -weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return _identity("pl", chance, ("PESEL",), f"{digits}{check}")


def swedish(chance: Chance) -> Item:
    born = chance.birth()
    digits = f"{born:%y%m%d}{chance.digits(3)}"
    century = chance.choice((f"{born.year // 100}", ""))
    text = f"{century}{digits[:6]}-{digits[6:]}{luhn(digits)}"
    return _identity("se", chance, ("personnummer",), text)


def finnish(chance: Chance) -> Item:
    born = chance.birth()
    day, serial = f"{born:%d%m%y}", f"{chance.randint(2, 899):03}"
    sign = "A" if born.year >= 2000 else "-"
    check = _HETU[int(day + serial) % 31]
    return _identity("fi", chance, ("henkilötunnus", "HETU"), f"{day}{sign}{serial}{check}")


def norwegian(chance: Chance) -> Item:
    def drawn() -> str | None:
        born = chance.birth()
        serial = chance.randint(500, 899) if born.year >= 2000 else chance.randint(0, 499)
        digits = f"{born:%d%m%y}{serial:03}"
        checks = two_mod_11(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
        if born.year < 1940 or checks is None:
            return None
        return digits[:6] + chance.choice(("", " ")) + digits[6:] + checks

    return _identity("no", chance, ("fødselsnummer",), chance.until(drawn))


def danish(chance: Chance) -> Item:
    """Return a number as they are since 2007, when check digits were given up."""
    born = chance.birth()
    century = chance.choice("4" if born.year >= 2000 else "0123")
    day = f"{born:%d%m%y}"
    return _identity("dk", chance, ("CPR-nummer", "CPR"), f"{day}-{century}{chance.digits(3)}")


def swiss(chance: Chance) -> Item:
    digits = f"756{chance.digits(9)}"
    text = grouped(digits + ean(digits), (3, 4, 4, 2), chance.choice((".", ".", "")))
    return _identity("ch", chance, ("AHV-Nummer", "numéro AVS"), text)


def austrian(chance: Chance) -> Item:
    def drawn() -> str | None:
        serial, born = chance.digits(3, "123456789"), f"{chance.birth():%d%m%y}"
        check = weighted(serial + born, (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
        return None if check > 9 else f"{serial}{check}{chance.choice(('', ' '))}{born}"

    return _identity("at", chance, ("Sozialversicherungsnummer", "SVNR"), chance.until(drawn))


def czech(chance: Chance) -> Item:
    def drawn() -> str | None:
        born = chance.birth()
        month = born.month + chance.choice((0, 50))
        digits = f"{born:%y}{month:02}{born:%d}{chance.digits(3)}"
        check = int(digits) % 11
        if born.year < 1954 or check > 9:
            return None
        return f"{digits[:6]}/{digits[6:]}{check}"

    return _identity("cz", chance, ("rodné číslo",), chance.until(drawn))


def romanian(chance: Chance) -> Item:
    born = chance.birth()
    sex = chance.choice("56" if born.year >= 2000 else "12")
    digits = f"{sex}{born:%y%m%d}{chance.randint(1, 46):02}{chance.randint(1, 999):03}"
    check = weighted(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return _identity("ro", chance, ("CNP",), f"{digits}{1 if check > 9 else check}")


def bulgarian(chance: Chance) -> Item:
    born = chance.birth()
    month = born.month + (40 if born.year >= 2000 else 0)
    digits = f"{born:%y}{month:02}{born:%d}{chance.digits(3)}"
    check = weighted(digits, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return _identity("bg", chance, ("ЕГН", "EGN"), f"{digits}{check}")


def greek(chance: Chance) -> Item:
    digits = f"{chance.birth():%d%m%y}{chance.digits(4)}"
    names = ("ΑΜΚΑ", "AMKA")  # noqa: RUF001 - Greek letters, and Latin ones
    return _identity("gr", chance, names, digits + luhn(digits))


def _identity(shape: str, chance: Chance, names: tuple[str, ...], text: str) -> Item:
    return Item(Kind.NATIONAL_ID, shape, chance.choice(names), text)


MAKERS: Final = (
    british_insurance,
    british_health,
    french,
    spanish,
    spanish_foreigner,
    dutch,
    belgian,
    polish,
    swedish,
    finnish,
    norwegian,
    danish,
    swiss,
    austrian,
    czech,
    romanian,
    bulgarian,
    greek,
)
