"""Asking once more, beside a call that takes unusually long, and taking the first answer.

What makes a call slow is often bad luck that another try does not share: a busy replica, a lost
packet, a pause. A second request for the slowest few percent cuts the tail at little extra load:
"hedged requests" of Dean and Barroso, "The Tail at Scale" (CACM, 2013). How failures, delays and
budgets go together is as in gRPC ("A6: client retries") and failsafe-go.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from stormproof.errors import Problems
from stormproof.recovery.hedging.race import Terms
from stormproof.recovery.latency import LatencyRecord
from stormproof.recovery.options import check_count, check_seconds, is_number
from stormproof.recovery.retries.budget import RetryBudget
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.threads import WorkerThreads

_MOST_EXTRA: Final = 10
_REMEMBERED: Final = 128


@dataclass(frozen=True, kw_only=True)
class LatencyQuantile:
    """A delay that follows how long the calls take.

    It is in force when so many calls have succeeded, and looks at the last 128. One that was
    overtaken counts with the time until then, so that the delay does not shrink by its own work.

    Args:
        quantile: The part of the calls that is answered within the delay, and so not hedged; more
            than 0, less than 1.
        minimum_calls: How many must have succeeded; until then nothing is hedged. 1 to 128.
    """

    quantile: float = 0.95
    minimum_calls: int = 20

    def __post_init__(self) -> None:
        problems = Problems()
        fine = is_number(self.quantile) and 0 < self.quantile < 1
        problems.check(fine, "quantile", "must be more than 0 and less than 1", "quantile")
        check_count(problems, "minimum_calls", self.minimum_calls, most=_REMEMBERED)
        problems.raise_if_any("the latency quantile is not valid")

    def __str__(self) -> str:
        return f"p{100 * self.quantile:g}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Hedge(Strategy):
    """Makes a call once more beside itself when it takes long; the first that succeeds answers.

    For calls that may happen twice, alone. A retriable failure starts the next attempt at once,
    unless it asks to wait, and fails the call only when no other attempt runs; any other failure
    is that of the call, at once. When all have failed, the error is that of the first attempt, with
    the others as notes.

    Losers are cancelled. One that resists delays nobody, but the first: it runs in its caller's
    task. A stream is hedged until its first item; then the others are closed.

    Latencies belong to their hedge: make one for each dependency.

    Args:
        delay: Seconds without an answer before each further attempt, 0 to a day; or the quantile
            of the latencies of this hedge to wait for.
        extra: How many attempts beside the first; 1 to 10.
        budget: What bounds the extra attempts of this dependency, of all its callers together.
            Each is charged before it begins; each call that succeeds is deposited. By default
            nothing.
        threads: Where sync functions run, the first attempt too: they cannot be cancelled, and a
            loser keeps its thread until it ends. Coroutines and streams need none.
        name: What events call it.

    Raises:
        TypeError: A sync function is guarded, and there are no ``threads``.
        CapacityExceeded: At the guarded sync call, when all ``threads`` are taken.
        DeadlineExceeded: At the guarded sync call, when the deadline in force is over.
    """

    delay: float | LatencyQuantile = field(default_factory=LatencyQuantile)
    extra: int = 1
    budget: RetryBudget | None = None
    threads: WorkerThreads | None = None
    name: str = "hedge"
    _latencies: LatencyRecord | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        adapts = isinstance(self.delay, LatencyQuantile)
        if not adapts:
            check_seconds(problems, "delay", self.delay, positive=False)
        check_count(problems, "extra", self.extra, most=_MOST_EXTRA)
        fine = self.budget is None or isinstance(self.budget, RetryBudget)
        problems.check(fine, "budget", "must be a RetryBudget", "budget")
        fine = self.threads is None or isinstance(self.threads, WorkerThreads)
        problems.check(fine, "threads", "must be WorkerThreads", "threads")
        problems.raise_if_any("the hedge is not valid")
        # Not an option: the instance is frozen, what it remembers is not.
        vars(self)["_latencies"] = LatencyRecord(_REMEMBERED) if adapts else None

    def __str__(self) -> str:
        after = f"{self.delay}" if self._latencies else f"{self.delay:g}s"
        within = f" within {self.budget}" if self.budget else ""
        return f"Hedge {self.extra} more after {after}{within}"

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        from stormproof.recovery.hedging.thread_race import ThreadRace  # noqa: PLC0415 - for these alone

        threads = self.threads
        if threads is None:
            raise TypeError("a sync function is hedged on threads: Hedge(threads=WorkerThreads(8))")
        terms, delay = self._terms(site), self._delay

        def guarded(*args: Any, **kwargs: Any) -> Any:
            return ThreadRace(terms, delay(), partial(call, *args, **kwargs), threads).run()

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        from stormproof.recovery.hedging.task_race import TaskRace  # noqa: PLC0415 - asyncio is heavy

        terms, delay = self._terms(site), self._delay

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await TaskRace(terms, delay(), partial(call, *args, **kwargs), None).run()

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        from stormproof.recovery.hedging.task_race import TaskRace  # noqa: PLC0415 - asyncio is heavy

        terms, delay = self._terms(site), self._delay

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            begin = partial(_begin, call, *args, **kwargs)
            items, item = await TaskRace(terms, delay(), begin, _close).run()
            async with aclosing(items):
                while item is not _END:
                    yield item
                    item = await anext(items, _END)

        return guarded

    def _terms(self, site: Site) -> Terms:
        return Terms(
            pipeline=site.pipeline,
            strategy=self.name,
            extra=self.extra,
            budget=self.budget,
            earning=site.earning(self.budget),
            latencies=self._latencies,
        )

    def _delay(self) -> float | None:
        delay, record = self.delay, self._latencies
        if not isinstance(delay, LatencyQuantile):
            return delay
        return record.quantile(delay.quantile, minimum=delay.minimum_calls) if record else None


_END: Final = object()


async def _begin(call: Call, *args: Any, **kwargs: Any) -> tuple[AsyncGenerator[Any, None], Any]:
    """Return a stream and its first item, or ``_END``."""
    items = call(*args, **kwargs)
    try:
        return items, await anext(items, _END)
    except BaseException:
        await items.aclose()
        raise


async def _close(begun: tuple[AsyncGenerator[Any, None], Any]) -> None:
    """Close a stream that nobody reads, whatever it says to that."""
    with suppress(Exception):
        await begun[0].aclose()
