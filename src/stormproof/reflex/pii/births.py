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
_IN_TABLE: Final = rf"[,;|\t] ?{_DATE}\b"
_HEADS: Final = frozenset(
    {"dob", "birth", "birthday", "born", "birthdate", "geburtsdatum", "geburtstag", "geboren"}
    | {"naissance", "nacimiento", "nascita", "nascimento", "geboortedatum", "födelsedatum"}
    | {"fødselsdato", "syntymäaika", "urodzenia", "narození"}
)
_WRITTEN: Final = re.compile(rf"{_DATE}\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+")
_MONTH: Final = re.compile(
    "jan|feb|m[aä]r|apr|ma[iyg]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|ene|abr|ago|dic|f[eé]v|avr|juin|"
    "juil|ao[uû]|d[eé]c|gen|giu|lug|set|ott|fev|mai|mei|maa|sty|lut|kwi|cze|lip|sie|wrz|pa|lis|gru|"
    "tam|hel|huh|tou|kes|hei|elo|syy|lok|mar|m",
    re.IGNORECASE,
)


def _birth(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the date at the end of what was found, if there is such a day, and somebody's."""
    written = max(_WRITTEN.finditer(text, start, end), key=lambda one: one.end(), default=None)
    if not written or not _is_day(written[0]):
        return
    in_table = text[start] in _SEPARATORS
    if not in_table or not _HEADS.isdisjoint(words_above(text, written.start())):
        yield Finding(Kind.DATE_OF_BIRTH, *written.span())


def _is_day(written: str) -> bool:
    numbers = _NUMBER.findall(written)
    if len(numbers) == 1:
        [digits] = numbers
        numbers = [digits[:4], digits[4:6], digits[6:]]
    if len(numbers) == 2:  # noqa: PLR2004 - and a month's name
        return bool(_MONTH.search(written)) and _exists(numbers[1], "1", numbers[0])
    first, second, third = numbers
    if len(first) == 4:  # noqa: PLR2004 - digits of a year
        return _exists(first, second, third)
    return _exists(third, second, first) or _exists(third, first, second)


def _exists(year: str, month: str, day: str) -> bool:
    """Return whether there is such a day; a year of two digits is one of the last century."""
    try:
        return bool(date(int(year) if len(year) > 2 else 1900 + int(year), int(month), int(day)))  # noqa: PLR2004
    except ValueError:
        return False


RECOGNISERS: Final = (
    Recogniser(
        frozenset({Kind.DATE_OF_BIRTH}),
        rf"(?i)(?:\b|_)(?:{_WORDS})",
        f"{_BIRTH}|{_IN_TABLE}",
        _birth,
    ),
)
