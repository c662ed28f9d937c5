"""Texts as they look: all scripts' digits, wide letters, odd spaces and dashes, nothing unseen.

What stands in place of a character is one character long, so places stay what they are; only where
unseen characters were left out do they have to be told anew.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import re2

from stormproof.reflex.matches import matches
from stormproof.reflex.pii.finding import Finding

_UNSEEN: Final = "\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff"
_DASHES: Final = "\u2010-\u2015\u2212\ufe58\ufe63"
_SPACES: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_ZEROS: Final = "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐"
_DIGITS: Final = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS)
_WIDE: Final = "\uff01-\uff5e\U0001d7ce-\U0001d7ff"
_PRIMES: Final = {"\u2032": "'", "\u2033": '"', "\u2019": "'", "\u201d": '"'}
_IS_UNSEEN: Final = re.compile(f"[{_UNSEEN}]")
_IS_DASH: Final = re.compile(f"[{_DASHES}]")
_ODD: Final = re.compile(f"[{_UNSEEN}{_DASHES}{_SPACES}{_DIGITS}{_WIDE}{''.join(_PRIMES)}]")
_IS_ODD: Final = re2.compile(_ODD.pattern)
_ESCAPE: Final = re.compile(r"\\(?:[nrt]|u[0-9A-Fa-f]{4})")


class Folded(NamedTuple):
    """A text as it looks.

    Attributes:
        text: The text.
        unseen: Before which of its places a character was left out, as often as that was so.
    """

    text: str
    unseen: Sequence[int] = ()

    def in_original(self, finding: Finding) -> Finding:
        """Return a finding with its place in the text as it was."""
        start = finding.start + bisect_right(self.unseen, finding.start)
        end = finding.end + bisect_right(self.unseen, finding.end - 1)
        return finding._replace(start=start, end=end)


def folded(text: str) -> Folded:
    """Return a text as it looks; what JSON escapes in it are spaces."""
    if "\\" in text:
        text = _ESCAPE.sub(_blank, text)
    if _is_plain(text):
        return Folded(text)
    unseen = [found.start() - before for before, found in enumerate(_IS_UNSEEN.finditer(text))]
    return Folded(_ODD.sub(lambda odd: _look(odd[0]), text), unseen)


def _is_plain(text: str) -> bool:
    """Return whether every character of a text looks like itself alone."""
    if text.isascii():
        return True
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return not any(matches(_IS_ODD, text.encode("utf-8", "replace")))
    return "\u00a0" not in text and "\u00ad" not in text


def _blank(escape: re.Match[str]) -> str:
    return " " * len(escape[0])


@cache
def _look(character: str) -> str:
    """Return what one of the odd characters looks like; there are some hundred of them."""
    if _IS_UNSEEN.match(character):
        return ""
    if _IS_DASH.match(character):
        return "-"
    plain = _PRIMES.get(character) or unicodedata.normalize("NFKC", character)
    return str(unicodedata.decimal(plain, plain))
