"""Where somebody is: degrees of latitude and longitude."""

import re
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.context import words_above, words_near
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_PAIR: Final = r"[+-]?\b\d{1,3}\.\d{4,15}, ?[+-]?\d{1,3}\.\d{4,15}\b"
_QUARTERS: Final = r"\b\d{1,2}(?:\.\d+)?° ?[NS][,;/]? {0,2}\d{1,3}(?:\.\d+)?° ?[EWO]\b"
_SEXAGESIMAL: Final = (
    r"\b\d{1,2}° ?\d{1,2}' ?(?:\d{1,2}(?:\.\d+)?(?:\\?\"{1,2}|'') ?)?[NS][,;/]? {0,2}"
    r"\d{1,3}° ?\d{1,2}' ?(?:\d{1,2}(?:\.\d+)?(?:\\?\"{1,2}|'') ?)?[EWO]\b"
)
_NAMED: Final = (
    r"(?i)(?:\b|_)lat(?:itude)?[^0-9A-Za-z\r\n]{1,8}\d{1,2}\.\d{2,}[^0-9A-Za-z]{1,12}"
    r"(?:\b|_)(?:lon|lng|long|longitude)[^0-9A-Za-z\r\n]{1,8}\d{1,3}\.\d{2,}\b"
)
_GOES_ON: Final = re.compile(r",[ \t]{0,9}[+-]?\d")
_DEGREES: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_NORTH: Final = 90
_EAST: Final = 180
_LARGE: Final = 10
_WORDS: Final = frozenset(
    {"coordinates", "coordinate", "coords", "coord", "gps", "geo", "geolocation", "latlng", "lat"}
    | {"latitude", "lon", "lng", "longitude", "location", "located", "position", "map", "maps"}
    | {"koordinaten", "standort", "standpunkt", "coordonnées", "localisation"}
    | {"coordenadas", "ubicación", "posición", "coordinata", "posizione", "localização"}
    | {"posição", "coördinaten", "locatie", "współrzędne", "koordinater", "souřadnice"}
    | {"координаты", "координатам", "坐标", "座標", "좌표"}
)


def _pair(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield two numbers that are a place by what they are, or by what is said of them.

    Where both degrees are small there is little land, and two measurements are more likely; that
    the longitude is the first has to be told, as it is in GeoJSON.
    """
    first, second = (abs(float(one)) for one in text[start:end].split(","))
    larger, smaller = max(first, second), min(first, second)
    if not (1 <= larger <= _EAST and smaller <= _NORTH):
        return
    alone = not _is_listed(text, start, end)
    if (
        (alone and larger >= _LARGE and first <= _NORTH)
        or (alone and not _WORDS.isdisjoint(words_near(text, start, end)))
        or not _WORDS.isdisjoint(words_above(text, start))
    ):
        yield Finding(Kind.COORDINATES, start, end)


def _is_listed(text: str, start: int, end: int) -> bool:
    """Return whether numbers stand before or behind that belong to the same list."""
    by = ", " if ", " in text[start:end] else ","
    before, found, _ = text[max(0, start - len(by) - 1) : start].rpartition(by)
    return bool(found and before[-1:].isdigit()) or _GOES_ON.match(text, end) is not None


def _on_earth(text: str, start: int, end: int) -> Iterable[Finding]:
    latitude, longitude = (abs(float(one)) for one in _DEGREES.findall(text, start, end)[:2])
    if latitude <= _NORTH and longitude <= _EAST and max(latitude, longitude) >= 1:
        yield Finding(Kind.COORDINATES, start, end)


def _judge(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the first and the second number of what was found, and what stands between them."""
    written = text[start:end]
    if "°" in written:
        return [Finding(Kind.COORDINATES, start, end)]
    if written[0] in "+-" or written[0].isdigit():
        return _pair(text, start, end)
    first = _DEGREES.search(text, start, end)
    return _on_earth(text, first.start(), end) if first else ()


RECOGNISER: Final = Recogniser(
    frozenset({Kind.COORDINATES}),
    r"\.\d{4}\d*, ?[+-]?\d|°|(?i)(?:\b|_)lat(?:itude)?(?:\b|_)",
    "|".join((_PAIR, _QUARTERS, _SEXAGESIMAL, _NAMED)),
    _judge,
)
