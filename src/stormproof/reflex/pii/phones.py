"""Telephone numbers: as one dials them from abroad, as countries write them, and near words."""

import re
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.context import words_near
from stormproof.reflex.pii.edges import is_whole, stands_apart
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.pictures import Identifier
from stormproof.reflex.pii.recogniser import Recogniser
from stormproof.reflex.pii.scripts import joins

_MORE: Final = r"(?:(?:[ ./-]|[ .-]?\(|\)[ ./-]?)?\d)"
_FROM_ABROAD: Final = rf"\+[1-9]{_MORE}{{6,15}}|\b00[1-9](?:(?:[ -]|[ -]?\(|\)[ -]?)?\d){{7,15}}"
_AMERICAN: Final = (
    r"(?:\b1[ .-])?(?:\([2-9]\d{2}\) ?|\b[2-9]\d{2}-|\b[2-9]\d{2}\.)[2-9]\d{2}[ .-]\d{4}"
)
_WITH_TRUNK: Final = (
    r"(?:\(0\d{1,4}\)[ .-]?|\b0\d{1,4}[ ./-])\d{1,9}"
    r"(?:(?: \d{2,6}){1,4}|(?:-\d{2,6}){1,4}|(?:\.\d{2,6}){1,4})?\b"
)
_WITH_AREA: Final = r"\(\d{2,3}\) ?\d{3,5}-\d{4}\b"
_WITH_CODE: Final = r"\([1-9]\d{0,2}\) ?\d{2,4}(?:[ -]?\d{2,4}){2,3}\b"
_PLANS: Final = {
    "1": (10, 10),
    "7": (10, 10),
    "27": (9, 9),
    "30": (10, 10),
    "31": (9, 9),
    "32": (8, 9),
    "33": (9, 9),
    "34": (9, 9),
    "36": (8, 9),
    "39": (6, 11),
    "40": (9, 9),
    "41": (9, 9),
    "43": (7, 13),
    "44": (9, 10),
    "45": (8, 8),
    "46": (7, 10),
    "47": (8, 8),
    "48": (9, 9),
    "49": (6, 12),
    "52": (10, 10),
    "54": (10, 11),
    "55": (10, 11),
    "61": (9, 9),
    "81": (9, 10),
    "82": (8, 10),
    "86": (10, 11),
    "90": (10, 10),
    "91": (10, 10),
    "351": (9, 9),
    "358": (6, 11),
    "420": (9, 9),
}
"""How many digits follow a country's code, where that is settled; ITU-T E.164 allows 15 in all."""
_LONG_CODES: Final = (
    *(*range(211, 214), 216, 218, *range(220, 259), *range(260, 270), 290, 291, *range(297, 300)),
    *(*range(350, 360), *range(370, 384), *range(385, 388), 389, 420, 421, 423),
    *(*range(500, 510), *range(590, 600), 670, *range(672, 684), *range(685, 693)),
    *(800, 850, 852, 853, 855, 856, 870, 880, 886, *range(960, 969), *range(970, 978), 979),
    *(*range(992, 997), 998),
)
_SHORT_CODES: Final = (
    *(1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, *range(43, 50), *range(51, 59)),
    *(*range(60, 67), 81, 82, 84, 86, *range(90, 96), 98),
)
_CODES: Final = frozenset(map(str, (*_LONG_CODES, *_SHORT_CODES)))
"""Of countries, as ITU-T E.164 assigns them."""
_TELLING: Final = re.compile(f"{_AMERICAN}|{_WITH_AREA}")
_UNSETTLED: Final = (6, 12)
_WITH_ZERO: Final = (9, 12)
_NINES: Final = str.maketrans("012345678", "999999999")
_POSTCODE: Final = "99999-9999"
_DIGITS: Final = re.compile(r"\d+")
_EXTENSION: Final = re.compile(r" ?(?:x|ext\.?) ?\d{1,6}\b", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}([./-])\d\d?\1\d\d?|\d\d?([./-])\d\d?\2\d{4}\b")


_GROUPS: Final = (
    "8 9 10 11 12 34 37 44 46 55 56 65 72 28 27 233 244 254 333 334 344 433 3222 2222 2322"
    " 2323 3232 3322 1334 22222 234 332 36 39 323 2333 433 154 254 532"
)
_WORDS: Final = frozenset(
    {"tel", "telephone", "telefon", "telefono", "teléfono", "téléphone", "telefone", "telefoon"}
    | {"phone", "mobile", "mobil", "móvil", "movil", "handy", "cell", "cellphone", "cellular"}
    | {"celular", "cellulare", "portable", "fax", "sms", "whatsapp", "call me", "text me"}
    | {"rufnummer", "telefonnummer", "handynummer", "puhelin", "電話", "电话", "전화", "телефон"}
    | {"τηλέφωνο", "手机", "手機", "携帯", "휴대폰", "연락처"}
)


def _from_abroad(text: str, start: int, end: int) -> Iterable[Finding]:
    if text[start] == "+" and joins(text[max(0, start - 1) : start]):
        return
    first = start + (1 if text[start] == "+" else 2)
    if text[start] == "0" and not (
        stands_apart(text, start, end) and not text[start:end].isdigit()
    ):
        return
    digits = "".join(_DIGITS.findall(text, first, end))
    code = next((digits[:n] for n in (1, 2, 3) if digits[:n] in _CODES), None)
    if not code:
        return
    trunk = text.find("(0)", first, end) >= 0
    low, high = (len(code) + trunk + n for n in _PLANS.get(code, _UNSETTLED))
    yield from _phone(text, start, _fitting(text, first, end, low, high))


def _within(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield a number as countries write it that have a zero before areas."""
    blocks = _DIGITS.findall(text, start, end)
    if text[start:end].translate(_NINES) == _POSTCODE:
        return
    if _WITH_ZERO[0] <= sum(map(len, blocks)) <= _WITH_ZERO[1] and not _DATE.match(text, start):
        yield from _phone(text, start, end)


def _fitting(text: str, start: int, end: int, low: int, high: int) -> int:
    """Return where the last block of digits ends with which there are enough and not too many.

    Numbers do not end with a block of one digit: that is a word of what follows.
    """
    count, fitting = 0, 0
    for block in _DIGITS.finditer(text, start, end):
        size = block.end() - block.start()
        count += size
        if low <= count <= high and (size > 1 or block.start() == start):
            fitting = block.end()
    return fitting


def _phone(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield a number with its extension, unless it is a piece of something longer."""
    if extension := end and _EXTENSION.match(text, end):
        end = extension.end()
    if end and is_whole(text, start, end):
        yield Finding(Kind.PHONE, start, end)


def _judge(text: str, start: int, end: int) -> Iterable[Finding]:
    if text[start] == "+" or text.startswith("00", start):
        return _from_abroad(text, start, end)
    if text.startswith(("0", "(0"), start):
        return _within(text, start, end)
    if _TELLING.match(text, start, end) or not _WORDS.isdisjoint(words_near(text, start, end)):
        return _phone(text, start, end)
    return ()


def _pictures() -> Iterable[str]:
    """Yield the forms of numbers that have neither a code before them nor a zero."""
    for groups in _GROUPS.split():
        sizes = [groups] if groups[0] == "1" and groups != "1334" else groups
        first, *rest = ("9" * int(size) for size in sizes)
        for by, then in ("  ", "..", "--", "- ", "/ "):
            yield by.join((first, then.join(rest))) if rest else first
    yield from ("99 99999-9999", "99 9999-9999")


NATIONAL: Final = Identifier(
    Kind.PHONE,
    lambda _number: "",
    frozenset(),
    frozenset(_pictures()),
    _WORDS,
)
"""Numbers that words near them tell."""

RECOGNISER: Final = Recogniser(
    frozenset({Kind.PHONE}),
    r"\+[1-9]|\b00[1-9]\d|\d{3}[.)-] ?\d{3}[ .-]\d{4}|\b0\d{1,4}(?:\)|[ ./-]\d)"
    r"|\(\d{1,3}\) ?\d\d",
    "|".join((_FROM_ABROAD, _AMERICAN, _WITH_TRUNK, _WITH_AREA, _WITH_CODE)),
    _judge,
)
