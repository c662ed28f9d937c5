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


PLAIN_1: Final = Workload("at-once", stream=False, clients=1)
PLAIN_16: Final = Workload("at-once", stream=False, clients=16)
PLAIN_64: Final = Workload("at-once", stream=False, clients=64)
BURST_64: Final = Workload("at-once", stream=True, clients=64)
PACED_1: Final = Workload("paced", stream=True, clients=1)
PACED_16: Final = Workload("paced", stream=True, clients=16)
PACED_64: Final = Workload("paced", stream=True, clients=64)

WORKLOADS: Final = (PLAIN_1, PLAIN_16, PLAIN_64, BURST_64, PACED_1, PACED_16, PACED_64)


@dataclass(slots=True)
class Row:
    """What was measured of one gateway.

    Attributes:
        name: Who it is.
        memory: The most bytes it was seen to hold.
        rounds: What it did each time, by workload.
    """

    name: str
    memory: int = 0
    rounds: dict[Workload, list[Load]] = field(
        default_factory=lambda: {workload: [] for workload in WORKLOADS}
    )


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
        """Return the number of each round."""
        return [self.of(load) / (self.unit or 1) for load in row.rounds[self.workload]]

    def cell(self, row: Row) -> str:
        """Return the middle of the rounds, and half the distance between the outermost."""
        values = self.values(row)
        middle = statistics.median(values)
        if not middle:
            return ""
        return f"{self.shown(middle)} ±{(max(values) - min(values)) / middle / 2:.0%}"

    def ratio(self, row: Row, other: Row) -> str:
        """Return how many times the other's number this one's is, in the middle of the rounds."""
        pairs = zip(self.values(row), self.values(other), strict=True)
        return f"{statistics.median(ours / theirs for ours, theirs in pairs):.3g}"

    def added(self, row: Row, floor: Row) -> str:
        """Return by how much it is more than the other's, in the middle of the rounds."""
        pairs = zip(self.values(row), self.values(floor), strict=True)
        return self.shown(statistics.median(whole - part for whole, part in pairs))

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
SLOW: Final = Figure("16 clients: p99, ms", PLAIN_16, _slow_latency)
SLOWER: Final = Figure("64 clients: p99, ms", PLAIN_64, _slow_latency)
FIRST_1: Final = Figure("1 client: first token, ms", PACED_1, _first)
FIRST_16: Final = Figure("16 clients: first token, ms", PACED_16, _first)
FIRST_64: Final = Figure("64 clients: first token, ms", PACED_64, _first)
GAP: Final = Figure("64 clients: p99 between tokens, ms", PACED_64, _slow_gap)

FIGURES: Final = (
    RATE,
    PROCESSOR,
    EVENTS,
    LATENCY,
    SLOW,
    SLOWER,
    FIRST_1,
    FIRST_16,
    FIRST_64,
    GAP,
)
ADDED: Final = (LATENCY, FIRST_1, FIRST_16, FIRST_64)
