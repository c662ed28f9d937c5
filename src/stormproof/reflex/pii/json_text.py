"""A text in JSON, read as what it says: without escapes, which would hide or blur values."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

_ESCAPE: Final = re.compile(
    r'\\(?:u[Dd][89ABab][\dA-Fa-f]{2}\\u[Dd][C-Fc-f][\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|["\\/bfnrt])'
)
_COMMON: Final = {r"\n": "\n", r"\"": '"', r"\\": "\\", r"\t": "\t", r"\/": "/"}
_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)


class Replacement(NamedTuple):
    """What is to stand in place of a part of a text."""

    start: int
    end: int
    text: str


class PlainText:
    """A text that says what is written.

    Attributes:
        text: What it says.
    """

    def __init__(self, written: str) -> None:
        self.text: Final = written

    def replaced(self, replacements: Sequence[Replacement]) -> str:
        """Return it with other parts.

        Args:
            replacements: In their order; no two overlap.
        """
        return _spliced(self.text, replacements)


class NameText(PlainText):
    """A name of somebody, which has no brackets."""

    def replaced(self, replacements: Sequence[Replacement]) -> str:
        """Return it with other parts."""
        return super().replaced([one._replace(text=one.text.strip("[]")) for one in replacements])


class JsonText:
    """A JSON document, or what comes near to one.

    Attributes:
        text: What is written, every escape as the character that it says.
    """

    def __init__(self, written: str) -> None:
        self._written = written
        self._plain_starts = [0]
        self._written_starts = [0]
        self.text: Final = self._read() if "\\" in written else written

    def replaced(self, replacements: Sequence[Replacement]) -> str:
        """Return what is written with other parts; those that stand in no string become one.

        Args:
            replacements: As they are to be read, by their places in `text`.
        """
        return _spliced(self._written, [self._rewritten(one) for one in replacements])

    def _rewritten(self, said: Replacement) -> Replacement:
        start, end = self._place(said.start), self._place(said.end)
        escaped = escape(said.text)
        in_string = bisect_left(self._quotes, start) % 2
        return Replacement(start, end, escaped if in_string else f'"{escaped}"')

    def _read(self) -> str:
        plain, length, seen = [], 0, 0
        for match in _ESCAPE.finditer(self._written):
            plain += [
                self._written[seen : match.start()],
                _COMMON.get(match[0]) or _unescaped(match[0]),
            ]
            length += match.start() - seen + 1
            seen = match.end()
            self._plain_starts.append(length)
            self._written_starts.append(seen)
        return "".join([*plain, self._written[seen:]])

    def _place(self, plain: int) -> int:
        """Return where a character is written."""
        run = bisect_right(self._plain_starts, plain) - 1
        return self._written_starts[run] + plain - self._plain_starts[run]

    @cached_property
    def _quotes(self) -> Sequence[int]:
        """Where strings begin and end."""
        return [one.start() for one in _QUOTE.finditer(self._written) if one[0] == '"']


def escape(text: str) -> str:
    """Return a text as it is written in a string of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _unescaped(escape: str) -> str:
    """Return the character that an escape says; half of one says nothing."""
    said: str = json.loads(f'"{escape}"')
    return "\ufffd" if "\ud800" <= said <= "\udfff" else said


def _spliced(text: str, replacements: Sequence[Replacement]) -> str:
    parts, seen = [], 0
    for one in replacements:
        parts += [text[seen : one.start], one.text]
        seen = one.end
    return "".join([*parts, text[seen:]])
