"""How long clients wait for tokens, and how their answers end."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stormproof.engine import FinishReason, Output
from stormproof.providers.buckets import Buckets

_FIRST: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 60.0)
_BETWEEN: Final = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08),
    *(0.12, 0.2, 0.4, 0.8, 1.5, 5.0),
)


class TokenTimes(Collector):
    """The series of the answers of one server; used on its event loop alone, so without locks.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first = Buckets(_FIRST)
        self._between = Buckets(_BETWEEN)
        self._ended: Counter[FinishReason] = Counter()

    async def watch(
        self, index: int, stream: AsyncGenerator[Output, None]
    ) -> AsyncGenerator[tuple[int, Output], None]:
        """Yield the pieces of an answer, each with ``index``, and take the time of each.

        Closing this closes the stream, and counts the answer as aborted.
        """
        ended, known, last = FinishReason.ABORTED, 0, self._clock()
        try:
            async with aclosing(stream):
                async for piece in stream:
                    now = self._clock()
                    self._take(now - last, known, piece.completion_tokens)
                    known, last = piece.completion_tokens, now
                    ended = piece.finish_reason or ended
                    yield index, piece
        except Exception:
            ended = FinishReason.ERROR
            raise
        finally:
            self._ended[ended] += 1

    def _take(self, seconds: float, known: int, tokens: int) -> None:
        """Count tokens that came together; of those that joined while nobody looked, the mean."""
        if not known:
            self._first.observe(seconds, 1)
        elif tokens > known:
            self._between.observe(seconds / (tokens - known), tokens - known)

    def collect(self) -> Iterable[Metric]:
        """Report every series as it is now."""
        ended = CounterMetricFamily(
            "stormproof_engine_answers", "Answers that ended.", labels=("reason",)
        )
        for reason in FinishReason:
            ended.add_metric((reason,), self._ended[reason])
        yield ended
        yield _histogram(
            "stormproof_engine_time_to_first_token_seconds",
            "From a request's way into the engine to the first piece of its answer.",
            self._first,
        )
        yield _histogram(
            "stormproof_engine_inter_token_latency_seconds",
            "Between two tokens of an answer; the sum is over all tokens but the first ones.",
            self._between,
        )


def _histogram(name: str, text: str, times: Buckets) -> Metric:
    family = HistogramMetricFamily(name, text)
    family.add_metric((), *times.cumulative())
    return family
