"""What Prometheus reads at ``/metrics`` about requests and the engine."""

import asyncio
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stormproof.engine import EngineStats
from stormproof.gateway.http_series import HttpSeries
from stormproof.gateway.token_times import TokenTimes


class ServerMetrics:
    """The series of one server.

    Args:
        registry: Where they go.
        stats: Reads the engine's numbers at the moment of a scrape, if there is an engine.

    Attributes:
        token_times: Told of the engine's tokens.
        requests: Told of requests.
    """

    def __init__(
        self, registry: CollectorRegistry, stats: Callable[[], EngineStats] | None
    ) -> None:
        if stats:
            registry.register(_EngineCollector(stats))
        self.token_times = TokenTimes()
        registry.register(self.token_times)
        self.requests = HttpSeries()
        registry.register(self.requests)
        tasks = Gauge("stormproof_tasks", "Tasks of the server's event loop.", registry=registry)
        tasks.set_function(_tasks)


def _tasks() -> int:
    """Count them where they are; a scrape from elsewhere finds none."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0


class _EngineCollector(Collector):
    def __init__(self, stats: Callable[[], EngineStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """Read the engine once and report it."""
        stats = self._stats()
        yield _gauge("running_requests", "Requests that take part in steps.", stats.running)
        yield _gauge("waiting_requests", "Requests in the queue.", stats.waiting)
        yield _gauge("waiting_tokens", "Tokens of requests in the queue.", stats.waiting_tokens)
        yield _gauge("kv_blocks_free", "Cache blocks that nobody owns.", stats.free_blocks)
        yield _gauge("kv_blocks", "Cache blocks there are.", stats.total_blocks)
        yield _counter("steps", "Steps since the start.", stats.steps)
        yield _counter("step_seconds", "Seconds that they took together.", stats.step_seconds)
        yield _counter("prompt_tokens", "Prompt tokens accepted.", stats.prompt_tokens)
        yield _counter("generated_tokens", "Tokens generated.", stats.generated_tokens)
        yield _counter("finished_requests", "Requests that ended.", stats.finished)
        yield _counter("preemptions", "Times a request lost its blocks.", stats.preemptions)
        yield _counter("down_seconds", "Seconds without a process to answer.", stats.down_seconds)
        yield _deaths(stats)
        yield _counter("memory_shortages", "Steps in which memory ran out.", stats.memory_shortages)
        yield _counter("drafted_tokens", "Tokens that were guessed.", stats.drafted_tokens)
        yield _counter("accepted_tokens", "Guesses that were right.", stats.accepted_tokens)
        queries, hits = stats.prefix_query_tokens, stats.prefix_hit_tokens
        yield _counter("prefix_query_tokens", "Tokens looked for in the cache.", queries)
        yield _counter("prefix_hit_tokens", "Tokens found there, so not read again.", hits)


def _deaths(stats: EngineStats) -> Metric:
    text = "Times a process of the engine died, or hung and was killed."
    family = CounterMetricFamily("stormproof_engine_deaths", text, labels=("cause",))
    for cause, count in stats.deaths.items():
        family.add_metric((cause,), count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stormproof_engine_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"stormproof_engine_{name}", text, value=value)
