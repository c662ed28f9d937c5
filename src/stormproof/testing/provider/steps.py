"""What a scripted provider may do with a request."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from typing import Final, TypeAlias

from stormproof.testing.provider.asked import Asked

TOKENS: Final = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers, at once or as a stream, whichever was asked for.

    Attributes:
        tokens: How long the answer is, where the target has nobody who speaks for it.
        delay: Seconds before it begins.
        pace: Seconds between two tokens of a stream; at 0 they are sent together.
    """

    tokens: int = TOKENS
    delay: float = 0.0
    pace: float = 0.0


class Break(StrEnum):
    """How an answer breaks off."""

    CUT = "cut"
    """The connection is reset, in the middle of an event."""

    END = "end"
    """The body ends as a whole one does, without a reason to finish or a mark of the end."""

    ERROR = "error"
    """An event tells of an error, and the body ends."""

    STALL = "stall"
    """Nothing comes any more, and the connection stays."""

    GARBAGE = "garbage"
    """An event is not JSON; what follows it would be good."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Begins an answer well.

    Of an answer that is not streamed the last bytes do not come: the connection is reset
    (`Break.CUT`), silent (`Break.STALL`), or closed.

    Attributes:
        how: What happens then.
        tokens: After how many tokens of a stream.
    """

    how: Break
    tokens: int = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answers with an error.

    Attributes:
        status: Its HTTP status.
        retry_after: What its ``Retry-After`` says, in seconds.
    """

    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Answers 200, with whatever this is.

    Attributes:
        body: All of it.
        content_type: What it is said to be.
    """

    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class SlowHead:
    """Answers well, but its head comes byte by byte.

    Attributes:
        seconds: How long the head takes.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Says nothing, ever."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection."""


Step: TypeAlias = Answer | Broken | Refusal | Page | SlowHead | Hang | Reset

Script: TypeAlias = Callable[[Asked], Step]
"""Decides upon a request what to do with it."""


def every(nth: int, *faults: Step) -> Script:
    """Return a script that answers, and fails on every so-many-th call, each time the next way.

    Targets that share it count together: what fails at one is not followed by a failure of another.

    Args:
        nth: 3 answers twice between two failures.
        faults: The ways, one after another, and then again.
    """
    good = [Answer()] * (nth - 1)
    plan = cycle([step for fault in faults for step in (*good, fault)])
    return lambda _asked: next(plan)
