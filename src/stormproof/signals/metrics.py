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

from stormproof.errors import Severity
from stormproof.recovery import (
    AttemptFailed,
    CallRejected,
    CallWaited,
    ChaosInjected,
    DeadlinePassed,
    Event,
    FailedOver,
    FallbackUsed,
    HedgeStarted,
    HedgeWon,
    IdleTimeoutPassed,
    LimitChanged,
    ListenerFailed,
    RetryGaveUp,
    RetryScheduled,
    StoreLost,
    StoreRegained,
    StreamRestarted,
    StreamResumed,
    ThreadFreed,
    ThreadPinned,
    subscribe,
)
from stormproof.signals.circuit_states import NUMBERS, CircuitStates
from stormproof.signals.distribution import Distribution
from stormproof.signals.levels import Levels
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
    FailedOver: _Series(
        "failovers", "Times another target was asked.", ("pipeline", "strategy", "target", "to")
    ),
    HedgeStarted: _Series("hedges_started", "Slow calls that were made once more."),
    HedgeWon: _Series("hedges_won", "Calls that were answered sooner for it."),
    StreamResumed: _Series("streams_resumed", "Broken streams that went on."),
    StreamRestarted: _Series("streams_restarted", "Broken streams that began again."),
    IdleTimeoutPassed: _Series("idle_timeouts_passed", "Streams cut because nothing came."),
    StoreLost: _Series("stores_lost", "Times shared state went out of reach."),
    ChaosInjected: _Series(
        "chaos_injected", "Calls struck on purpose.", ("pipeline", "strategy", "effect")
    ),
    ListenerFailed: _Series("listeners_failed", "Events that a listener failed to take."),
}

_STATES: Final = "Last known state: " + ", ".join(
    f"{number} {state.value}" for state, number in NUMBERS.items()
)


class Metrics(Collector):
    """The series of everything that the recovery bus and the gateway report, until closed.

    Args:
        registry: Where Prometheus reads them, and where others may add theirs.

    Raises:
        CapacityExceeded: The bus has as many listeners as it takes.
        ValueError: The registry has these series already.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry: Final = registry
        self._errors: Final = Tally()
        self._events: Final = {kind: Tally() for kind in _SERIES}
        self._other_events: Final = Tally()
        self._circuits: Final = CircuitStates()
        self._waits: Final = Distribution()
        self._limits: Final = Levels()
        self._pinned: Final = Levels()
        self._stores: Final = Levels()
        self._unsubscribe: Final = subscribe(self._hear)
        try:
            registry.register(self)
        except BaseException:
            self._unsubscribe()
            raise

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
        yield _gauge("circuit_state", _STATES, "circuit", self._circuits.states)
        yield _gauge("concurrency_limit", "Where an adaptive limit is.", "limit", self._limits)
        yield _gauge("threads_pinned", "Threads whose callers have gone.", "threads", self._pinned)
        yield _gauge("store_reachable", "Whether shared state is in reach.", "store", self._stores)
        yield self._waits_of_calls()
        yield _counter(
            "recovery_events",
            "Events that have no series of their own.",
            ("event", "pipeline", "strategy"),
            self._other_events,
        )

    def _hear(self, event: Event) -> None:
        if event.severity is Severity.DEBUG:
            return  # what happens with every request is counted by those who know it
        kind = type(event)
        levelled = self._hear_level(event) or self._circuits.hear(event)
        if kind in _SERIES:
            self._events[kind].count(*(getattr(event, name) for name in _SERIES[kind].labels))
        elif not levelled:
            self._other_events.count(kind.__name__, event.pipeline, event.strategy)

    def _hear_level(self, event: Event) -> bool:
        """Take note of an event that tells how much there is of something."""
        if isinstance(event, CallWaited):
            self._waits.observe(event.wait, event.pipeline, event.strategy)
        elif isinstance(event, LimitChanged):
            self._limits.set(event.strategy, event.limit)
        elif isinstance(event, ThreadPinned | ThreadFreed):
            self._pinned.set(event.strategy, event.pinned)
        elif isinstance(event, StoreLost | StoreRegained):
            self._stores.set(event.strategy, float(isinstance(event, StoreRegained)))
        else:
            return False
        return True

    def _waits_of_calls(self) -> Metric:
        family = HistogramMetricFamily(
            "stormproof_call_wait_seconds",
            "How long calls that had to wait for their turn waited.",
            labels=("pipeline", "strategy"),
        )
        for labels, (buckets, total) in self._waits.cumulative().items():
            family.add_metric(labels, buckets, total)
        return family


def _gauge(name: str, text: str, of: str, levels: Levels) -> Metric:
    family = GaugeMetricFamily(f"stormproof_{name}", text, labels=(of,))
    for one, level in levels.levels().items():
        family.add_metric((one,), level)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], tally: Tally) -> Metric:
    family = CounterMetricFamily(f"stormproof_{name}", text, labels=labels)
    for values, count in tally.counts().items():
        family.add_metric(values, count)
    return family
