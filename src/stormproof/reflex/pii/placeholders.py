"""What stands for a value in what a model is sent: ``[EMAIL_KQTR]``.

The letters are made of the value and of a secret key, not counted: the same value has the same
placeholder in the next request and in another process, also where the beginning of the
conversation was cut off, so that what a provider has kept of a prompt, or has signed, stays what it
was. They are consonants, which make no words, and four, which models copy as faithfully as a
number; a number would be taken for one: the last digits of a card, a year of birth.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from string import ascii_letters
from typing import Final

from stormproof.reflex.pii.finding import Kind

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_LETTER_OF: Final = bytes(ord(_LETTERS[byte % len(_LETTERS)]) for byte in range(256))
_FEWEST: Final = 4
_MOST: Final = 16
_NAMES: Final = "|".join(kind.upper().replace("_", r"\\?_") for kind in Kind)
_WORD: Final = rf"(?:{_NAMES})\\?_[{_LETTERS}]{{{_FEWEST},{_MOST}}}"
_SHAPE: Final = re.ASCII | re.IGNORECASE

WRITTEN: Final = re.compile(rf"\\\[{_WORD}\\\]|\[{_WORD}\]|(?<!\w){_WORD}(?!\w)", _SHAPE)
"""A placeholder as models write it: in other case, with underscores and brackets escaped as in
Markdown, or without brackets. A backslash in front of the bracket belongs to it only if there is
another at its end: else it stood in front of the value."""

_BEGUN: Final = re.compile(r"(?:\\?\[|(?<!\w)(?=[A-Z]))(?:[A-Z]|\\?_)*\\?\Z|\\\Z", _SHAPE)
_CODE: Final = re.compile(rf"_([{_LETTERS}]{{{_FEWEST},{_MOST}}})(?!\w)", _SHAPE)
_BROKEN_OFF: Final = frozenset(f"{ascii_letters}_\\[")
"""What the beginning of a placeholder may end with."""

_LONGEST: Final = 80
"""Characters of a placeholder that is written with every escape."""

_BARE: Final = str.maketrans("", "", "\\[]")


class Placeholders:
    """The placeholders of one request, and the values they stand for.

    Args:
        values: What they stand for, and of which kind that is.
        texts: What else the request says: no placeholder is one that stands there.
        key: Makes the letters; 64 bytes at most.
    """

    def __init__(self, values: Mapping[str, Kind], texts: Iterable[str], key: bytes) -> None:
        taken = {code.upper() for text in texts for code in _CODE.findall(text)}
        self._placeholders: Final[dict[str, str]] = {}
        self._values: Final[dict[str, str]] = {}
        for value, kind in values.items():
            code = _code(value, taken, key)
            taken.add(code)
            word = f"{kind.upper()}_{code}"
            self._placeholders[value] = f"[{word}]"
            self._values[word] = value
        self._sorted: Final = sorted(self._values)

    def of(self, value: str) -> str:
        """Return the placeholder of a value."""
        return self._placeholders[value]

    def value(self, written: str) -> str | None:
        """Return what a text of the form `WRITTEN` stands for; None if it is only a text."""
        return self._values.get(_bare(written))

    def settled(self, text: str, start: int) -> int:
        """Return up to where a text, from a place on, cannot become a placeholder any more."""
        if text[-1:] not in _BROKEN_OFF:
            return len(text)
        begun = _BEGUN.search(text, max(start, len(text) - _LONGEST))
        return begun.start() if begun and self._begins(_bare(begun[0])) else len(text)

    def _begins(self, beginning: str) -> bool:
        place = bisect_left(self._sorted, beginning)
        return place < len(self._sorted) and self._sorted[place].startswith(beginning)


def _bare(written: str) -> str:
    return written.translate(_BARE).upper()


def _code(value: str, taken: set[str], key: bytes) -> str:
    """Return the letters of a value: a few, or more where those are another's."""
    digest = blake2b(value.encode("utf-8", "surrogatepass"), key=key, digest_size=_MOST).digest()
    letters = digest.translate(_LETTER_OF).decode()
    for n in range(_FEWEST, _MOST):
        if letters[:n] not in taken:
            return letters[:n]
    return letters
