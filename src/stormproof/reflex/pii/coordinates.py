"""Where somebody is: degrees of latitude and longitude."""

import re
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_PAIR: Final = r"[+-]?\b\d{1,2}\.\d{4,}, ?[+-]?\d{1,3}\.\d{4,}\b"
_QUARTERS: Final = r"\b\d{1,2}(?:\.\d+)?° ?[NS][,;/]? {0,2}\d{1,3}(?:\.\d+)?° ?[EWO]\b"
_SEXAGESIMAL: Final = (
    r"\b\d{1,2}° ?\d{1,2}['´] ?(?:\d{1,2}(?:\.\d+)?(?:\\?\"|''|´´) ?)?[NS][,;/]? {0,2}"
    r"\d{1,3}° ?\d{1,2}['´] ?(?:\d{1,2}(?:\.\d+)?(?:\\?\"|''|´´) ?)?[EWO]\b"
)
_NAMED: Final = (
    r"(?i)(?:\b|_)lat(?:itude)?[^0-9A-Za-z\r\n]{1,8}\d{1,2}\.\d{2,}[^0-9A-Za-z]{1,12}"
    r"(?:\b|_)(?:lon|lng|long|longitude)[^0-9A-Za-z\r\n]{1,8}\d{1,3}\.\d{2,}\b"
)
_DEGREES: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_LIST_BEFORE: Final = re.compile(r"\d[,;]?\s*$")
_LIST_AFTER: Final = re.compile(r"\s*[,;]?\s*[+-]?\d")
_AROUND: Final = 24


def _pair(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield two numbers that are no part of a longer list."""
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if not _LIST_BEFORE.search(before) and not _LIST_AFTER.match(after):
        yield from _on_earth(text, start, end)


def _on_earth(text: str, start: int, end: int) -> Iterable[Finding]:
    latitude, longitude = map(float, _DEGREES.findall(text, start, end)[:2])
    if abs(latitude) <= 90 and abs(longitude) <= 180:  # noqa: PLR2004 - degrees
        yield Finding(Kind.COORDINATES, start, end)


def _sexagesimal(text: str, start: int, end: int) -> Iterable[Finding]:
    yield Finding(Kind.COORDINATES, start, end)


def _named(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the two numbers, and what stands between them."""
    first = _DEGREES.search(text, start, end)
    if first:
        yield Finding(Kind.COORDINATES, first.start(), end)


_COORDINATES: Final = frozenset({Kind.COORDINATES})
RECOGNISERS: Final = (
    Recogniser(_COORDINATES, _PAIR, _pair),
    Recogniser(_COORDINATES, _QUARTERS, _on_earth),
    Recogniser(_COORDINATES, _SEXAGESIMAL, _sexagesimal),
    Recogniser(_COORDINATES, _NAMED, _named),
)
