"""The figures of one engine."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine_peers.timing import Timing, decode_rate, first_token, throughput
from engine_peers.workload import WORKLOADS


@dataclass(slots=True)
class Row:
    """What was measured of one engine.

    Attributes:
        name: Who it is.
        over_http: Whether its figures include HTTP.
        start: Seconds from its process's start to its first token.
        memory: The most bytes it was seen to hold.
        rounds: The answers of each time, by workload.
    """

    name: str
    over_http: bool
    start: float
    memory: int = 0
    rounds: dict[str, list[list[Timing]]] = field(
        default_factory=lambda: {name: [] for name in WORKLOADS}
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """One column: a number that each round gives.

    Attributes:
        title: What it is.
        workload: Which answers it comes from.
        of: Finds it in them.
        unit: What one of it is shown as: 1 or 0.001.
    """

    title: str
    workload: str
    of: Callable[[Sequence[Timing]], float]
    unit: float = 1.0

    def values(self, row: Row) -> list[float]:
        """Return the number of each round."""
        return [self.of(timings) / self.unit for timings in row.rounds[self.workload]]

    def cell(self, row: Row) -> str:
        """Return the middle of the rounds, and half the distance between the outermost."""
        values = self.values(row)
        middle = statistics.median(values)
        return f"{middle:,.0f} ±{(max(values) - min(values)) / middle / 2:.0%}"

    def ratio(self, row: Row, other: Row) -> str:
        """Return how many times the other's number this one's is, in the middle of the rounds."""
        pairs = zip(self.values(row), self.values(other), strict=True)
        return f"{statistics.median(ours / theirs for ours, theirs in pairs):.2f}"


FIRST: Final = Figure("one: first token, ms", "single", first_token, 0.001)
DECODE: Final = Figure("one: then tokens/s", "single", decode_rate)
EIGHT: Final = Figure("eight: tokens/s", "eight", throughput)
MIXED: Final = Figure("mixed: tokens/s", "mixed", throughput)
MIXED_FIRST: Final = Figure("mixed: first token, ms", "mixed", first_token, 0.001)

FIGURES: Final = (FIRST, DECODE, EIGHT, MIXED, MIXED_FIRST)
