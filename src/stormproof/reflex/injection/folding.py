"""One form for letters that look alike, so that a word is found however it is dressed.

A fold maps each character by itself: to one, to several, or to none. So the fold of a text is made
of the folds of its parts, and places can be counted back.
"""

import re
import unicodedata
from bisect import bisect_right
from codecs import lookup
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final

from stormproof.reflex.injection.code_pages import CodePage, code_page
from stormproof.reflex.injection.tables import table

_BLOCK: Final = 64
"""Characters that are counted at once."""

_LETTER_SYMBOLS: Final = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)
"""Where the squared, circled and regional capitals begin."""

_PLANES: Final = (range(0x20000), range(0xE0000, 0xE01F0))
"""Where characters stand: letters, marks and symbols; tags and selectors."""


class _Folded(dict[int, str]):
    """What characters become, which is found out when they are first seen."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code))
        became = "".join(_ALIKE.get(one) or _letter(one) for one in parts)
        if any(code in plane for plane in _PLANES):
            self[code] = became
        return became


def _alike() -> Mapping[str, str]:
    alike: dict[str, str] = {}
    for letters in table("look_alikes").values():
        pairs = [(one, latin) for latin, those in letters.items() for one in those]
        alike |= {one.upper(): latin for one, latin in pairs if not one.upper().isascii()}
        alike |= dict(pairs)
    for first in _LETTER_SYMBOLS:
        alike |= {chr(first + n): chr(ord("a") + n) for n in range(26)}
    return alike


def _letter(character: str) -> str:
    """Return a character; marks and invisible ones vanish, symbols are as spaces."""
    if character.isascii():
        return character
    kind = unicodedata.category(character)
    if kind in {"Mn", "Me", "Cf", "Cs"} or unicodedata.combining(character):
        return ""
    return " " if kind[0] in "PSZ" else character


_ALIKE: Final = _alike()
_FOLDED: Final = _Folded()

_STAYING_KANA: Final = "".join(
    kana for kana in map(chr, range(0x3040, 0x3100)) if _FOLDED[ord(kana)] == kana
)
_MAY_CHANGE: Final = f"[^\x00-\x7f\u3400-\u4dbf\u4e00-\u9fff{_STAYING_KANA}]"
"""Neither ASCII nor CJK ideographs, which stay what they are, as most kana do."""

_CHANGED: Final = re.compile(_MAY_CHANGE)
_SHORT: Final = 2048
_FEW: Final = 32
"""Letters that are sooner replaced one after the other, in short texts."""

_CHANGING: Final = re.compile(f"{_MAY_CHANGE}++(?:[^A-Za-z]{{1,3}}{_MAY_CHANGE}++)*+")
"""What may change, and as much of what stays between as is sooner passed than left out."""


def _any(text: str) -> str:
    if len(text) <= _SHORT and len(changed := {*_CHANGED.findall(text)}) <= _FEW:
        for one in changed:
            text = text.replace(one, _FOLDED[ord(one)])
        return text
    return _CHANGING.sub(_run, text)


def _run(run: re.Match[str]) -> str:
    return run[0].translate(_FOLDED)


_LATIN: Final = CodePage(lookup("latin-1"), _any)
_WESTERN: Final = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_CYRILLIC: Final = "".join(
    filter(str.isalpha, bytes(range(0x80, 0x100)).decode("cp1251", "ignore"))
)
_GREEK: Final = "".join(filter(str.isalpha, map(chr, range(0x384, 0x3CF))))
_BESIDE: Final = "àáâäçèéêíñóôöúüßÄÉÖÜ\u00a0°¿«»–—’“”„№"  # noqa: RUF001
"""What Latin letters beside those have, and what stands between words."""

_PAGES: Final = {
    letter: page
    for letters, page in (
        (_WESTERN, CodePage(lookup("cp1252"), _any)),
        (_CYRILLIC, CodePage(code_page(_CYRILLIC + _BESIDE), _any)),
        (_GREEK, CodePage(code_page(_GREEK + _BESIDE), _any)),
    )
    for letter in letters
}
"""By letters that are not in Latin-1, what has all those of most texts with one of them."""

LOOSE: Final = str.maketrans("Ll0134578@$!|", "iioieastbasii")
"""Digits and signs by the letters that they are written for; small l, which 1 is as well, is i."""

_LOOSE_BYTES: Final = bytes(LOOSE.get(code, code) for code in range(0x100))
_BETWEEN: Final = bytes(
    code for code in range(0x80) if not chr(code).isalnum() and code not in LOOSE
)


def fold(text: str) -> str:
    """Return a text without what hides words: ASCII itself, look-alikes as what they look like."""
    if text.isascii():
        return text
    page = _page(text)
    return (page and page.fold(text)) or _any(text)


def _page(text: str) -> CodePage | None:
    """Return the page that may have all letters of a text; None if there is none."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        return _PAGES.get(text[error.start])
    return _LATIN


def squeeze(text: str) -> str:
    """Return a folded text without what stands between its letters, and digits as letters."""
    # As bytes: strings that are not all ASCII are translated twenty times as slowly.
    squeezed = text.encode("utf-8", "surrogatepass").translate(_LOOSE_BYTES, _BETWEEN)
    return squeezed.decode("utf-8", "surrogatepass")


class Counting:
    """Counts places in what a fold has made back to places in the text it was made of.

    Args:
        text: What was folded.
        folding: A fold.
    """

    def __init__(self, text: str, folding: Callable[[str], str]) -> None:
        self._text = text
        self._folding = folding

    def back(self, span: tuple[int, int]) -> tuple[int, int]:
        """Return the part of the text that has made one, which is not empty."""
        start, end = span
        return self._place(start), self._place(end - 1) + 1

    @cached_property
    def _ends(self) -> Sequence[int]:
        """Where the folds of blocks end."""
        blocks = (self._text[at : at + _BLOCK] for at in range(0, len(self._text), _BLOCK))
        return list(accumulate(len(self._folding(block)) for block in blocks))

    def _place(self, folded: int) -> int:
        """Return where the character is that has made one."""
        block = bisect_right(self._ends, folded)
        start = block * _BLOCK
        within = folded - (self._ends[block - 1] if block else 0)
        characters = self._text[start : start + _BLOCK]
        ends = list(accumulate(len(self._folding(one)) for one in characters))
        return start + bisect_right(ends, within)
