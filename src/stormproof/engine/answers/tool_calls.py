"""Finding the calls in an answer while it is still being written."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from stormproof.engine.answers.stop import overlap
from stormproof.engine.answers.tool_format import ToolFormat

_LONGEST_HEAD: Final = 200
"""Characters up to the arguments of a call; what goes on longer without them is none."""
_LONGEST_TAIL: Final = 200
"""Characters after the arguments, up to the end of a call; what goes on longer is text."""


@dataclass(frozen=True, slots=True)
class Said:
    """Text that is not part of a call."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """The model calls a tool; calls are numbered from 0."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A part of the arguments of a call, which all together are a JSON object."""

    index: int
    text: str


Spoken: TypeAlias = Said | CallBegun | Arguments


class _At(Enum):
    """Where in an answer the reader is."""

    TEXT = auto()
    HEAD = auto()
    ARGUMENTS = auto()
    TAIL = auto()
    BETWEEN = auto()  # after a call, where there may be another one
    PLAIN = auto()  # there will be no call any more


class ToolCallReader:
    """Tells calls from text, piece by piece; what looks like a call and is none stays text.

    Args:
        form: How the model writes calls.
        names: The tools that there are.
    """

    def __init__(self, form: ToolFormat, names: Collection[str]) -> None:
        self.calls = 0
        self._names = names
        self._begin = form.begin.strip()
        self._end = form.end.strip() or "}"
        self._between = f"{form.opening}{form.between}{form.closing} \r\n\t"
        self._head = re.compile(
            rf'\s*\{{\s*"name"\s*:\s*"([\w.-]+)"\s*,\s*"{form.arguments}"\s*:\s*(?=\{{)', re.ASCII
        )
        self._at = _At.TEXT
        self._held = ""
        self._lead = ""  # what stands before a head, and is text if it turns out to be none
        self._object = _JsonObject()

    def push(self, text: str) -> list[Spoken]:
        """Return what a piece of the answer makes clear."""
        self._held += text
        found: list[Spoken] = []
        before = None
        while self._held and (self._at, self._held) != before:
            before = self._at, self._held
            found += self._read()
        return found

    def flush(self) -> list[Spoken]:
        """Return what was still unclear, now that no more text will come."""
        held, self._held = self._held, ""
        if self._at is _At.HEAD:
            return [Said(self._lead + held)]
        if self._at is _At.TAIL:
            held = _after_object(held)
            held = held[: len(held) - overlap(held, self._end)]
            return [Said(held)] if held else []
        return [Said(held)] if self._at is _At.TEXT and held else []

    def _read(self) -> Iterator[Spoken]:
        match self._at:
            case _At.TEXT:
                return self._read_text() if self._begin else self._read_bare()
            case _At.HEAD:
                return self._read_head()
            case _At.ARGUMENTS:
                return self._read_arguments()
            case _At.TAIL:
                return self._read_tail()
            case _At.BETWEEN:
                return self._read_between()
            case _At.PLAIN:
                return self._say(len(self._held))

    def _say(self, length: int) -> Iterator[Spoken]:
        said, self._held = self._held[:length], self._held[length:]
        if said:
            yield Said(said)

    def _read_text(self) -> Iterator[Spoken]:
        """Look for the text that begins a call."""
        at = self._held.find(self._begin)
        if at < 0:
            yield from self._say(len(self._held) - overlap(self._held, self._begin))
            return
        yield from self._say(at)
        self._held = self._held.removeprefix(self._begin)
        self._lead = self._begin
        self._at = _At.HEAD

    def _read_bare(self) -> Iterator[Spoken]:
        """Look for a call at the beginning, or straight after another."""
        rest = self._held.lstrip(self._between)
        if rest.startswith("{"):
            self._lead = self._held.removesuffix(rest)
            self._held = rest
            self._at = _At.HEAD
        elif rest:
            self._at = _At.PLAIN
        return iter(())

    def _read_head(self) -> Iterator[Spoken]:
        found = self._head.match(self._held)
        if found and found[1] in self._names:
            self._held = self._held[found.end() :]
            self._at = _At.ARGUMENTS
            self._object = _JsonObject()
            yield CallBegun(self.calls, found[1])
            self.calls += 1
        elif found or len(self._held) > _LONGEST_HEAD or "}" in self._held:
            self._at = _At.TEXT if self._begin else _At.PLAIN
            if self._lead:
                yield Said(self._lead)

    def _read_arguments(self) -> Iterator[Spoken]:
        length = self._object.length_in(self._held)
        part, self._held = self._held[:length], self._held[length:]
        if self._object.ended:
            self._at = _At.TAIL
        yield Arguments(self.calls - 1, part)

    def _read_tail(self) -> Iterator[Spoken]:
        """Skip what closes a call, which a model may forget before it goes on."""
        tail = self._held[:_LONGEST_TAIL]
        at = tail.find(self._end)
        following = tail.find(self._begin) if self._begin else -1
        if following >= 0 and not 0 <= at < following:
            yield from self._resume(following)
        elif at >= 0:
            self._held = self._held[at + len(self._end) :]
            self._at = _At.BETWEEN
        elif len(self._held) >= _LONGEST_TAIL:
            yield from self._resume(len(tail) - overlap(tail, self._begin))

    def _resume(self, place: int) -> Iterator[Spoken]:
        """Go on after a call that was not closed; what came since, up to a place, is text."""
        text, self._held = _after_object(self._held[:place]), self._held[place:]
        self._at = _At.TEXT
        if text:
            yield Said(text)

    def _read_between(self) -> Iterator[Spoken]:
        self._held = self._held.lstrip(self._between)
        if self._held:
            self._at = _At.TEXT
        return iter(())


def _after_object(tail: str) -> str:
    """Return what follows the object that holds the arguments."""
    return tail.lstrip().removeprefix("}").lstrip()


class _JsonObject:
    """Finds where a JSON object ends that comes in pieces."""

    def __init__(self) -> None:
        self.ended = False
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def length_in(self, text: str) -> int:
        """Return how many characters of the next piece belong to the object."""
        for place, character in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif character == '"':
                self._in_string = not self._in_string
            elif self._in_string:
                self._escaped = character == "\\"
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                self.ended = self._depth == 0
                if self.ended:
                    return place + 1
        return len(text)
