"""Dates of birth: dates behind words that say so."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from stormproof.reflex.pii.context import words_above
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_WORDS: Final = (
    r"date[ _-]?of[ _-]?birth|birth[ _-]?da(?:te|y)|d\.?o\.?b\.?|born|geboren|geb\.?|geburtsdatum|"
    r"geburtstag|n[eé]\(?e?\)?s? le|date de naissance|naissance|fecha de nacimiento|nacid[oa]|"
    r"nacimiento|nat[oa] il|data di nascita|data de nascimento|nascid[oa]|nascimento|"
    r"geboortedatum|f[oö]delsedatum|f[oö]dd|f[oø]dt|f[oø]dselsdato|syntynyt|syntym.aika|"
    r"urodzon[aey]|data urodzenia|datum narozen.|narozen[aá]?|do.um tarihi"
)
_LETTERS: Final = r"[A-Za-z\xc0-\xff]"
_DATE: Final = (
    r"(?:\d{1,4}[./-] ?\d{1,2}[./-] ?\d{2,4}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.|er|º)?[ -](?:of |de )?{_LETTERS}{{3,12}}\.?,?[ -](?:de )?\d{{4}}"
    rf"|{_LETTERS}{{3,12}}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|(?:19|20)\d{{6}})"
)
_BIRTH: Final = rf"(?i)(?:\b|_)(?:{_WORDS})\b(?:[^0-9\r\n.]|\.[^0-9\s]|\. ){{0,24}}?{_DATE}\b"
_SEPARATORS: Final = frozenset(",;|\t")
_IN_TABLE: Final = rf"[,;|\t] ?\"?{_DATE}\b"
_HEADS: Final = frozenset(
    {"dob", "birth", "birthday", "born", "birthdate", "geburtsdatum", "geburtstag", "geboren"}
    | {"naissance", "nacimiento", "nascita", "nascimento", "geboortedatum", "födelsedatum"}
    | {"fødselsdato", "syntymäaika", "urodzenia", "narození"}
)
_WRITTEN: Final = re.compile(rf"{_DATE}\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+")
_LETTER: Final = re.compile(r"[^\W\d_]+")
_MONTHS: Final = frozenset(
    {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
    | {"jän", "mär", "mrz", "mai", "okt", "dez", "maj", "maa", "mrt", "mei", "fév", "fev"}
    | {"avr", "jui", "aoû", "aou", "déc", "ene", "abr", "ago", "set", "dic", "gen", "mag"}
    | {"giu", "lug", "ott", "out", "sty", "lut", "kwi", "cze", "lip", "sie", "wrz", "paź"}
    | {"lis", "gru", "tam", "hel", "huh", "tou", "kes", "hei", "elo", "syy", "lok", "jou"}
)
"""How months begin, in languages of Europe."""


def _birth(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the date at the end of what was found, if there is such a day, and somebody's."""
    *_, written = _WRITTEN.finditer(text, start, end)
    if not _is_day(written[0]):
        return
    in_table = text[start] in _SEPARATORS
    if not in_table or not _HEADS.isdisjoint(words_above(text, written.start())):
        yield Finding(Kind.DATE_OF_BIRTH, *written.span())


def _is_day(written: str) -> bool:
    match _NUMBER.findall(written):
        case [digits]:
            return _exists(digits[:4], digits[4:6], digits[6:])
        case [day, year]:
            words = _LETTER.findall(written.lower())
            return any(word[:3] in _MONTHS for word in words) and _exists(year, "1", day)
        case [year, month, day] if len(year) == len("1985"):
            return _exists(year, month, day)
        case [one, other, year]:
            return _exists(year, other, one) or _exists(year, one, other)
    return False


def _exists(year: str, month: str, day: str) -> bool:
    """Return whether there is such a day; a year of two digits is one of the last century."""
    century = 0 if len(year) > len("85") else 1900
    try:
        return bool(date(century + int(year), int(month), int(day)))
    except ValueError:
        return False


RECOGNISER: Final = Recogniser(
    frozenset({Kind.DATE_OF_BIRTH}),
    rf"(?i)(?:\b|_)(?:{_WORDS})",
    f"{_BIRTH}|{_IN_TABLE}",
    _birth,
)
