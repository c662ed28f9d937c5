"""The figures of one gateway."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway_peers.load import Load


@dataclass(frozen=True, slots=True)
class Workload:
    """How a gateway is asked.

    Attributes:
        model: Which model, and so how the provider answers.
        stream: Whether for a stream.
        clients: How many ask at once, each again as soon as it is answered.
    """

    model: str
    stream: bool
    clients: int

    def __str__(self) -> str:
        what = f"{self.model} streams" if self.stream else "requests"
        return f"{self.clients} clients, {what}"


PLAIN_1: Final = Workload("at-once", stream=False, clients=1)
PLAIN_16: Final = Workload("at-once", stream=False, clients=16)
PLAIN_64: Final = Workload("at-once", stream=False, clients=64)
BURST_64: Final = Workload("at-once", stream=True, clients=64)
PACED_16: Final = Workload("paced", stream=True, clients=16)
PACED_64: Final = Workload("paced", stream=True, clients=64)

WORKLOADS: Final = (PLAIN_1, PLAIN_16, PLAIN_64, BURST_64, PACED_16, PACED_64)


@dataclass(slots=True)
class Row:
    """What was measured of one gateway.

    Attributes:
        name: Who it is.
        memory: The most bytes it was seen to hold.
        rounds: What it did each time, by workload.
        faults: What went wrong, by workload; of those there are no figures.
        lost: Why it was measured no further.
    """

    name: str
    memory: int = 0
    rounds: dict[Workload, list[Load]] = field(
        default_factory=lambda: {workload: [] for workload in WORKLOADS}
    )
    faults: dict[Workload, str] = field(default_factory=dict)
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One column: a number that each round gives.

    Attributes:
        title: What it is.
        workload: Which load it comes from.
        of: Finds it there.
        unit: What one of it is shown as, in seconds; None for a rate.
    """

    title: str
    workload: Workload
    of: Callable[[Load], float]
    unit: float | None = 1e-3

    def values(self, row: Row) -> list[float]:
        """Return the number of each round; none if anything went wrong in one."""
        if self.workload in row.faults:
            return []
        return [self.of(load) / (self.unit or 1) for load in row.rounds[self.workload]]

    def cell(self, row: Row) -> str:
        """Return the middle of the rounds, and half the distance between the outermost."""
        values = self.values(row)
        if not values:
            return f"✗ {row.faults.get(self.workload, 'not measured')}"
        middle = statistics.median(values)
        if not middle:
            return ""
        return f"{self.shown(middle)} ±{(max(values) - min(values)) / middle / 2:.0%}"

    def ratio(self, row: Row, other: Row) -> str:
        """Return how many times the other's number this one's is, in the middle of the rounds."""
        ratios = [ours / theirs for ours, theirs in self._rounds_of_both(row, other)]
        return f"{statistics.median(ratios):.3g}" if ratios else ""

    def added(self, row: Row, floor: Row) -> str:
        """Return by how much it is more than the other's, in the middle of the rounds."""
        differences = [whole - part for whole, part in self._rounds_of_both(row, floor)]
        return self.shown(statistics.median(differences)) if differences else ""

    def _rounds_of_both(self, row: Row, other: Row) -> list[tuple[float, float]]:
        return list(zip(self.values(row), self.values(other), strict=False))  # one may be lost

    def shown(self, value: float) -> str:
        """Return a number with as many digits as mean something."""
        return f"{value:,.2f}" if self.unit and value < 100 else f"{value:,.0f}"


def _rate(load: Load) -> float:
    return len(load.latencies) / load.seconds


def _event_rate(load: Load) -> float:
    return load.events / load.seconds


def _processor(load: Load) -> float:
    return load.processor / load.asked


def _latency(load: Load) -> float:
    return statistics.median(load.latencies)


def _slow_latency(load: Load) -> float:
    return _percentile(load.latencies, 0.99)


def _first(load: Load) -> float:
    return statistics.median(load.firsts)


def _slow_gap(load: Load) -> float:
    return _percentile(load.gaps, 0.99)


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


RATE: Final = Figure("64 clients: requests/s", PLAIN_64, _rate, unit=None)
EVENTS: Final = Figure("64 clients: events/s", BURST_64, _event_rate, unit=None)
PROCESSOR: Final = Figure("64 clients: processor µs/request", PLAIN_64, _processor, unit=1e-6)
LATENCY: Final = Figure("1 client: p50, ms", PLAIN_1, _latency)
MIDDLE: Final = Figure("16 clients: p50, ms", PLAIN_16, _latency)
SLOW: Final = Figure("16 clients: p99, ms", PLAIN_16, _slow_latency)
SLOWER: Final = Figure("64 clients: p99, ms", PLAIN_64, _slow_latency)
FIRST_16: Final = Figure("16 clients: first token, ms", PACED_16, _first)
FIRST_64: Final = Figure("64 clients: first token, ms", PACED_64, _first)
GAP: Final = Figure("64 clients: p99 between tokens, ms", PACED_64, _slow_gap)

FIGURES: Final = (
    RATE,
    PROCESSOR,
    EVENTS,
    LATENCY,
    MIDDLE,
    SLOW,
    SLOWER,
    FIRST_16,
    FIRST_64,
    GAP,
)
ADDED: Final = (LATENCY, MIDDLE, SLOW, FIRST_16, FIRST_64)
