"""When the tokens of one request came, and what follows from that."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """One answered request; seconds count from the moment all were sent.

    Attributes:
        first: When its first token came.
        last: When its last one came.
        tokens: How many there were.
    """

    first: float
    last: float
    tokens: int


def throughput(timings: Sequence[Timing]) -> float:
    """Return output tokens per second, from the sending to the last token of all."""
    return sum(timing.tokens for timing in timings) / max(timing.last for timing in timings)


def decode_rate(timings: Sequence[Timing]) -> float:
    """Return a request's tokens per second after its first token, in the middle."""
    return statistics.median((t.tokens - 1) / (t.last - t.first) for t in timings)


def first_token(timings: Sequence[Timing]) -> float:
    """Return the seconds to a request's first token, in the middle."""
    return statistics.median(timing.first for timing in timings)
