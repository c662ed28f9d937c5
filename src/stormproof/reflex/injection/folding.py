"""One form for letters that look alike, so that a word is found however it is dressed.

A fold maps each character by itself: to one, to several, or to none. So the fold of a text is made
of the folds of its parts, and places can be counted back.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final

from stormproof.reflex.injection.code_pages import CodePage
from stormproof.reflex.injection.tables import table

_BLOCK: Final = 64
"""Characters that are counted at once."""

_LETTER_SYMBOLS: Final = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)
"""Where the squared, circled and regional capitals begin."""

_PLANES: Final = (range(0x20000), range(0xE0000, 0xE01F0))
"""Where characters stand: letters, marks and symbols; tags and selectors."""


class _Folded(dict[int, str | int | None]):
    """What characters become; which one is no letter is found out when it is first seen."""

    def __missing__(self, code: int) -> str | int | None:
        if not any(code in plane for plane in _PLANES):
            return code
        became = self[code] = _letter(code)
        return became


def _folded() -> Mapping[int, str | int | None]:
    folded = _Folded()
    for letters in table("look_alikes").values():
        pairs = [(one, latin) for latin, alike in letters.items() for one in alike]
        capitals = [(one.upper(), latin) for one, latin in pairs if not one.upper().isascii()]
        folded |= {ord(one): latin for one, latin in [*capitals, *pairs]}
    for first in _LETTER_SYMBOLS:
        folded |= {first + n: chr(ord("a") + n) for n in range(26)}
    return folded


def _letter(code: int) -> str | int | None:
    """Return a character; marks and invisible ones vanish, symbols are as spaces."""
    character = chr(code)
    if character.isascii():
        return code
    kind = unicodedata.category(character)
    if kind in {"Mn", "Me", "Cf", "Cs"} or unicodedata.combining(character):
        return None
    return " " if kind[0] in "PSZ" else code


_FOLDED: Final = _folded()


_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def _any(text: str) -> str:
    return _NOT_ASCII.sub(_run, text)


def _run(run: re.Match[str]) -> str:
    return unicodedata.normalize("NFKD", run[0]).translate(_FOLDED)


_CODE_PAGES: Final = [CodePage(name, _any) for name in ("cp1252", "cp1251")]
"""Of what is written in Western Europe, and in Cyrillic; with dashes and quotation marks."""

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
    folded = (page.fold(text) for page in _CODE_PAGES)
    return next((one for one in folded if one is not None), None) or _any(text)


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
