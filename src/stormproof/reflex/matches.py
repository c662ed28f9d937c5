"""Where RE2 finds an expression; needs the extra ``stormproof[reflex]``.

This is what ``finditer`` of RE2's Python module comes down to, in a fifth of the time: that makes a
match object of every place, which is most of what looking through a short text takes.
"""

from collections.abc import Iterator
from typing import Any, Final

import re2

_ANYWHERE: Final = re2._re2.RE2.Anchor.UNANCHORED


def matches(expression: Any, text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where a compiled expression is, in bytes: without groups, and nowhere empty."""
    match = expression._regexp.Match
    matched, end = 0, len(text)
    while True:
        [(start, matched)] = match(_ANYWHERE, text, matched, end)
        if start < 0:
            return
        yield start, matched
