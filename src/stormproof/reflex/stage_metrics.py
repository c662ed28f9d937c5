"""What Prometheus reads about stages."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from threading import RLock
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stormproof.providers.buckets import Buckets
from stormproof.recovery import Event, subscribe
from stormproof.reflex.events import Look, StageOutcome, StagesEnded

_BOUNDS: Final = (
    *(5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4),
    *(1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0),
)

_MANY: Final = 256
"""Requests whose looks are counted together, which takes a fraction of the time."""


class StageMetrics(Collector):
    """How long stages take, and what they make of requests, until closed; safe between threads.

    Stages are named by the code, so that no client makes series.

    Args:
        registry: Where Prometheus reads it.

    Raises:
        CapacityExceeded: The bus has as many listeners as it takes.
        ValueError: The registry has these series already.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = RLock()  # reentrant for the reason that the bus's is
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._seconds = defaultdict[str, Buckets](partial(Buckets, _BOUNDS))
        self._uncounted: list[Sequence[Look]] = []
        registry.register(self)
        self._unsubscribe = subscribe(self._hear)

    def close(self) -> None:
        """Hear no further event; what was counted can still be read."""
        self._unsubscribe()

    def collect(self) -> Iterable[Metric]:
        """Report every series as it is now."""
        text = "Requests, by what a stage made of them."
        outcomes = CounterMetricFamily(
            "stormproof_stage_outcomes", text, labels=("stage", "outcome")
        )
        text = "How long stages took."
        seconds = HistogramMetricFamily("stormproof_stage_seconds", text, labels=("stage",))
        with self._lock:
            self._count()
            for labels, count in self._outcomes.items():
                outcomes.add_metric(labels, count)
            for stage, buckets in self._seconds.items():
                seconds.add_metric((stage,), *buckets.cumulative())
        return outcomes, seconds

    def _hear(self, event: Event) -> None:
        if isinstance(event, StagesEnded):
            with self._lock:
                self._uncounted.append(event.looks)
                if len(self._uncounted) >= _MANY:
                    self._count()

    def _count(self) -> None:
        requests, self._uncounted = self._uncounted, []
        seconds = defaultdict[tuple[str, StageOutcome], list[float]](list)
        for look in chain.from_iterable(requests):
            seconds[look.stage, look.outcome].append(look.seconds)
        for labels, those in seconds.items():
            self._outcomes[labels] += len(those)
            self._seconds[labels[0]].observe_all(those)
