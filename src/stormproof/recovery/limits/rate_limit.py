"""So many calls in a time and no more, as the other side asks or can bear.

Permits belong to their limit: pipelines that share a limit share them, so make one limit for each
dependency.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stormproof.errors import Problems, RateLimitExceeded
from stormproof.recovery.limits.bucket import TokenBucket
from stormproof.recovery.limits.limiter import Limiter
from stormproof.recovery.limits.metering import Meter, Price
from stormproof.recovery.limits.rate_headers import ServerLimits
from stormproof.recovery.limits.turnstile import Turnstile
from stormproof.recovery.options import check_count, check_seconds
from stormproof.recovery.sharing.store import Store


@dataclass(frozen=True, eq=False)
class RateLimit(Limiter):
    """Lets so many calls begin in each period; the others wait a while, or are turned away.

    A token bucket: after a pause ``burst`` calls may begin at once, from then on they are spread
    evenly. First come, first served, threads and tasks alike. A call that would wait longer than
    ``max_wait``, or than the deadline in force allows, is turned away at once. One that is
    cancelled while it waits takes no permit; a stream takes its own with its first item.

    When a call fails with a ``RateLimitExceeded`` that says how long to wait, nothing is let in
    before that, for a minute or a period at most.

    Args:
        name: What is protected.
        permits: How many come in each period; 1 to 1,000,000.
        period: Seconds, up to a day.
        burst: How many may be taken at once after a pause; by default as many as ``permits``. In
            any stretch of time no more than this are taken beyond the even rate.
        max_wait: Seconds, the longest wait; with 0 nothing ever waits.
        cost: Returns, from the arguments of a call, how many permits it takes, 0 to ``burst``; by
            default each takes 1.
        store: Where the permits are, if several processes share them: all that have a limit of
            this name in this store. By default they are this process's own.

    Raises:
        RateLimitExceeded: At the guarded call, when it may not wait as long as it would have to,
            which is its ``retry_after``.
        CostTooHigh: At the guarded call, when it costs more than ``burst``.
        ConfigurationError: At the guarded call, when ``cost`` raises or returns no amount.
    """

    name: str
    permits: int
    period: float = 1.0
    burst: int | None = None
    max_wait: float = 10.0
    cost: Callable[..., float] | None = None
    store: Store | None = None
    _turnstile: Turnstile = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is protected", "missing")
        check_count(problems, "permits", self.permits)
        check_seconds(problems, "period", self.period)
        if self.burst is not None:
            check_count(problems, "burst", self.burst)
        check_seconds(problems, "max_wait", self.max_wait, positive=False)
        fine = self.cost is None or callable(self.cost)
        problems.check(fine, "cost", "must be a function of the arguments of a call", "callable")
        self._check_store(problems)
        problems.raise_if_any("the rate limit is not valid")
        # Not an option: the instance is frozen, its permits come and go.
        bucket = TokenBucket(self.permits, self.period, self._most)
        vars(self)["_turnstile"] = self._turnstile_of(bucket)

    def __str__(self) -> str:
        return f"RateLimit {self.name} {self.permits} per {self.period:g}s"

    @property
    def _most(self) -> int:
        return self.burst or self.permits

    def _price(self) -> Price | None:
        if self.cost is None:
            return None
        return Price("cost", self.cost, limit=self.name, most=self._most)

    def _open_meter(self) -> Callable[[str], Meter] | None:
        return None

    def _heed(self, told: ServerLimits, cost: float) -> None:
        # A server counts requests; what permits stand for is only known if each call takes one.
        if self.cost is None:
            self._turnstile.ration(told.requests)
        if told.pause:
            self._turnstile.ration(cost, delay=told.pause)

    def _exceeded(self, wait: float) -> RateLimitExceeded:
        return RateLimitExceeded(limit=self.permits, window=self.period, retry_after=wait)
