"""Recovery and errors as Prometheus series."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stormproof.recovery import (
    AttemptFailed,
    CallRejected,
    CallWaited,
    DeadlinePassed,
    Event,
    FallbackUsed,
    ListenerFailed,
    RetryGaveUp,
    RetryScheduled,
    subscribe,
)
from stormproof.signals.circuit_states import NUMBERS, CircuitStates
from stormproof.signals.distribution import Distribution
from stormproof.signals.tally import Tally


class _Series(NamedTuple):
    """A counter of events; its labels are the names of their attributes."""

    name: str
    text: str
    labels: tuple[str, ...] = ("pipeline", "strategy")


_SERIES: Final[dict[type[Event], _Series]] = {
    AttemptFailed: _Series("attempts_failed", "Attempts under a retry that failed."),
    RetryScheduled: _Series("retries_scheduled", "Further attempts that were decided on."),
    RetryGaveUp: _Series(
        "retries_given_up",
        "Calls that failed for good under a retry.",
        ("pipeline", "strategy", "reason"),
    ),
    CallRejected: _Series("calls_rejected", "Calls turned away without being made."),
    DeadlinePassed: _Series("deadlines_passed", "Calls cut, or not begun, for want of time."),
    FallbackUsed: _Series("fallbacks_used", "Failed calls that something else answered for."),
    ListenerFailed: _Series("listeners_failed", "Events that a listener failed to take."),
}


class Metrics(Collector):
    """The series of everything that the recovery bus and the gateway report, until closed.

    Args:
        registry: Where Prometheus reads them, and where others may add theirs.

    Raises:
        CapacityExceeded: The bus has as many listeners as it takes.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry: Final = registry
        self._errors: Final = Tally()
        self._events: Final = {kind: Tally() for kind in _SERIES}
        self._other_events: Final = Tally()
        self._circuits: Final = CircuitStates()
        self._waits: Final = Distribution()
        self._unsubscribe: Final = subscribe(self._hear)
        registry.register(self)

    def failed(self, code: str, component: str) -> None:
        """Count an error that reached somebody outside.

        Args:
            code: Its stable code.
            component: Which part of the house let it out.
        """
        self._errors.count(code, component)

    def close(self) -> None:
        """Hear no further event; what was counted can still be read."""
        self._unsubscribe()

    def collect(self) -> Iterable[Metric]:
        """Report every series as it is now."""
        yield _counter("errors", "Errors that left the house.", ("code", "component"), self._errors)
        for kind, (name, text, labels) in _SERIES.items():
            yield _counter(name, text, labels, self._events[kind])
        yield _counter(
            "circuit_transitions",
            "Times a circuit went into a state.",
            ("circuit", "state"),
            self._circuits.transitions,
        )
        yield self._circuit_states()
        yield self._waits_of_calls()
        yield _counter(
            "recovery_events",
            "Events that have no series of their own.",
            ("event", "pipeline", "strategy"),
            self._other_events,
        )

    def _hear(self, event: Event) -> None:
        kind = type(event)
        if kind in _SERIES:
            self._events[kind].count(*(getattr(event, name) for name in _SERIES[kind].labels))
        elif isinstance(event, CallWaited):
            self._waits.observe(event.wait, event.pipeline, event.strategy)
        elif not self._circuits.hear(event):
            self._other_events.count(kind.__name__, event.pipeline, event.strategy)

    def _circuit_states(self) -> Metric:
        shown = ", ".join(f"{number} {state.value}" for state, number in NUMBERS.items())
        family = GaugeMetricFamily(
            "stormproof_circuit_state", f"Last known state: {shown}.", labels=("circuit",)
        )
        for circuit, state in self._circuits.states().items():
            family.add_metric((circuit,), NUMBERS[state])
        return family

    def _waits_of_calls(self) -> Metric:
        family = HistogramMetricFamily(
            "stormproof_call_wait_seconds",
            "How long calls that had to wait for their turn waited.",
            labels=("pipeline", "strategy"),
        )
        for labels, (buckets, total) in self._waits.cumulative().items():
            family.add_metric(labels, buckets, total)
        return family


def _counter(name: str, text: str, labels: tuple[str, ...], tally: Tally) -> Metric:
    family = CounterMetricFamily(f"stormproof_{name}", text, labels=labels)
    for values, count in tally.counts().items():
        family.add_metric(values, count)
    return family
