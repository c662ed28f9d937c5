"""Bank accounts: the numbers of ISO 13616."""

import re
from collections.abc import Iterable
from functools import cache
from string import ascii_uppercase
from typing import Final, NamedTuple

from stdnum import numdb

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser
from stormproof.reflex.pii.scripts import joins

_BEGINNING: Final = r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}"
_STRUCTURES: Final = numdb.get("iban")
_PART: Final = re.compile("([1-9][0-9]*)!([nac])")
_VALUES: Final = str.maketrans({letter: str(int(letter, 36)) for letter in ascii_uppercase})
_SIGNS: Final = {"n": "0-9", "a": "A-Z", "c": "A-Z0-9"}


class _Form(NamedTuple):
    """How a country's accounts look: how long they are, and what follows their check digits."""

    length: int
    rest: re.Pattern[str]


@cache
def _form(country: str) -> _Form | None:
    """Return the form of a country's accounts; None if it has none."""
    _, properties = _STRUCTURES.info(country)[0]
    parts = _PART.findall(properties.get("bban", ""))
    if not parts:
        return None
    rest = "".join(f"[{_SIGNS[sign]}]{{{size}}}" for size, sign in parts)
    return _Form(sum(int(size) for size, _ in parts) + len("DE89"), re.compile(rest))


def _iban(text: str, start: int, _end: int) -> Iterable[Finding]:
    """Yield the account that begins in a place: its country tells where it ends."""
    country = text[start : start + 2].upper()
    form = _form(country)
    end = _end_of(text, start, form.length) if form else None
    if form and end and not joins(text[end : end + 1]):
        account = text[start:end].upper().replace(" ", "").replace("-", "")
        if form.rest.fullmatch(account, len("DE89")) and _checks(account):
            yield Finding(Kind.IBAN, start, end, country.lower())


def _end_of(text: str, start: int, length: int) -> int | None:
    """Return where so many letters and digits end that have single marks between them at most."""
    for place in range(start, min(start + 2 * length, len(text))):
        if text[place].isalnum():
            length -= 1
        elif text[place] not in " -" or text[place - 1] in " -":
            return None
        if not length:
            return place + 1
    return None


def _checks(account: str) -> bool:
    """Return whether the check digits are right."""
    return int((account[4:] + account[:4]).translate(_VALUES)) % 97 == 1


RECOGNISER: Final = Recogniser(
    frozenset({Kind.IBAN}), r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}", _BEGINNING, _iban
)
