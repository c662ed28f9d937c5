"""What requests come to, in numbers."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stormproof.providers.buckets import Buckets

_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class HttpSeries(Collector):
    """The series of the requests of one server; used on its event loop alone, so without locks.

    Attributes:
        in_flight: How many are served now.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[str, Buckets] = defaultdict(partial(Buckets, _SECONDS))

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer; ``route`` is a template, never a path that a client made up."""
        self._answered[route, method, status] += 1
        self._seconds[route].observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """Report every series as it is now."""
        answered = CounterMetricFamily(
            "stormproof_http_requests", "Requests answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._answered.items():
            answered.add_metric((route, method, str(status)), count)
        yield answered
        seconds = HistogramMetricFamily(
            "stormproof_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            labels=("route",),
        )
        for route, buckets in self._seconds.items():
            seconds.add_metric((route,), *buckets.cumulative())
        yield seconds
        yield GaugeMetricFamily(
            "stormproof_http_requests_in_flight", "Requests being served.", value=self.in_flight
        )
