"""So many calls in a time and no more, as the other side asks or can bear.

Permits belong to their limit: pipelines that share a limit share them, so make one limit for each
dependency.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import Problems, RateLimitExceeded
from stormproof.recovery.bucket import TokenBucket
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import CallRejected, CallWaited, bus
from stormproof.recovery.options import check_count, check_seconds
from stormproof.recovery.strategy import Call, Site, Strategy


@dataclass(frozen=True, eq=False)
class RateLimit(Strategy):
    """Lets so many calls begin in each period; the others wait a while, or are turned away.

    A token bucket: after a pause ``burst`` calls may begin at once, from then on they are spread
    evenly. First come, first served, threads and tasks alike. A call that would wait longer than
    ``max_wait``, or than the deadline in force allows, is turned away at once. One that is
    cancelled while it waits gives its permit back; a stream takes one, with its first item.

    Args:
        name: What is protected.
        permits: How many calls may begin in each period; 1 to 1,000,000.
        period: Seconds, up to a day.
        burst: How many may begin at once after a pause; by default as many as ``permits``. In any
            stretch of time no more than this begin beyond the even rate.
        max_wait: Seconds, the longest wait; with 0 nothing ever waits.

    Raises:
        RateLimitExceeded: At the guarded call, when it may not wait as long as it would have to,
            which is its ``retry_after``.
    """

    name: str
    permits: int
    period: float = 1.0
    burst: int | None = None
    max_wait: float = 10.0
    _bucket: TokenBucket = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is protected", "missing")
        check_count(problems, "permits", self.permits)
        check_seconds(problems, "period", self.period)
        if self.burst is not None:
            check_count(problems, "burst", self.burst)
        check_seconds(problems, "max_wait", self.max_wait, positive=False)
        problems.raise_if_any("the rate limit is not valid")
        # Not an option: the instance is frozen, its permits come and go.
        burst = self.burst or self.permits
        vars(self)["_bucket"] = TokenBucket(self.permits, self.period, burst)

    def __str__(self) -> str:
        return f"RateLimit {self.name} {self.permits} per {self.period:g}s"

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        take, pipeline = self._bucket.take, site.pipeline

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if take(0):
                wait = self._reserve(pipeline)
                with self._waiting(wait, pipeline):
                    current_clock().sleep(wait)
            return call(*args, **kwargs)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        take, pipeline = self._bucket.take, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if take(0):
                await self._wait(pipeline)
            return await call(*args, **kwargs)

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator: its beginning counts."""
        take, pipeline = self._bucket.take, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            if take(0):
                await self._wait(pipeline)
            async with aclosing(call(*args, **kwargs)) as items:
                async for item in items:
                    yield item

        return guarded

    async def _wait(self, pipeline: str) -> None:
        wait = self._reserve(pipeline)
        with self._waiting(wait, pipeline):
            await current_clock().asleep(wait)

    def _reserve(self, pipeline: str) -> float:
        """Take a permit that is not there yet; return the seconds until it is."""
        left = remaining()
        longest = self.max_wait if left is None else min(self.max_wait, left)
        wait = self._bucket.take(longest)
        if wait > longest:
            raise self._reject(wait, pipeline)
        return wait

    @contextmanager
    def _waiting(self, wait: float, pipeline: str) -> Iterator[None]:
        """Give the permit back if the wait for it is not completed."""
        try:
            yield
        except BaseException:
            self._bucket.give_back()
            raise
        if bus.listeners:
            bus.publish(CallWaited(pipeline=pipeline, strategy=self.name, wait=wait))

    def _reject(self, wait: float, pipeline: str) -> RateLimitExceeded:
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self.name, retry_after=wait))
        return RateLimitExceeded(limit=self.permits, window=self.period, retry_after=wait)
