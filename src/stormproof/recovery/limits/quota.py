"""What a provider of models allows in a time: so many requests, and so many tokens.

What a call will use is estimated before it is made, and settled to what it did use afterwards.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, Final

from stormproof.errors import ClientError, Problems, RateLimitExceeded, ResourceError
from stormproof.recovery.classification import Verdict
from stormproof.recovery.limits.bucket import JointBuckets, TokenBucket
from stormproof.recovery.limits.limiter import Limiter
from stormproof.recovery.limits.metering import Meter, Price
from stormproof.recovery.limits.rate_headers import ServerLimits
from stormproof.recovery.limits.turnstile import Turnstile
from stormproof.recovery.options import check_count, check_seconds
from stormproof.recovery.sharing.store import Store

_MOST_TOKENS: Final = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Quota(Limiter):
    """Lets calls in as long as there are both requests and tokens for them.

    Two token buckets of a period's size, taken together: both or neither. A call waits for the
    later of the two, in the order of coming; the rest is as with ``RateLimit``.

    A call takes one request and its estimate in tokens. When it has returned, the difference to
    what it used is given back or charged, so that the tokens may get into debt. A stream is
    settled at its end, by its last item that tells. When a call fails, its request stays taken;
    its tokens are given back if the error says that no work was done (a ``ClientError`` or a
    ``ResourceError``, before a stream has begun). In all other cases the estimate stays: of a call
    that is cancelled, or a stream that breaks or is left early.

    Args:
        name: Whose quota it is.
        requests: How many come in each period; 1 to 1,000,000.
        tokens: The same; 1 to 1,000,000,000.
        estimate: Returns, from the arguments of a call, the tokens that it may use, its answer
            included; 0 to ``tokens``.
        usage: Returns, from what a call returned or from an item of a stream, the tokens that
            were used, None if it does not tell. More than ``tokens`` count as so many. What it
            raises is published as ``UsageUnknown``, and the estimate stays.
        period: Seconds, up to a day.
        max_wait: Seconds, the longest wait; with 0 nothing ever waits.
        store: Where the quota is, if several processes share it: all that have one of this name in
            this store. By default it is this process's own.

    Raises:
        RateLimitExceeded: At the guarded call, when it may not wait as long as it would have to,
            which is its ``retry_after``.
        CostTooHigh: At the guarded call, when its estimate is more than ``tokens``.
        ConfigurationError: At the guarded call, when ``estimate`` raises or returns no amount.
    """

    name: str
    _: KW_ONLY
    requests: int
    tokens: int
    estimate: Callable[..., float]
    usage: Callable[[Any], float | None] | None = None
    period: float = 60.0
    max_wait: float = 10.0
    store: Store | None = None
    _turnstile: Turnstile = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name whose quota it is", "missing")
        check_count(problems, "requests", self.requests)
        check_count(problems, "tokens", self.tokens, most=_MOST_TOKENS)
        fine = callable(self.estimate)
        problems.check(fine, "estimate", "must be a function of a call's arguments", "callable")
        fine = self.usage is None or callable(self.usage)
        problems.check(fine, "usage", "must be a function of what a call returns", "callable")
        check_seconds(problems, "period", self.period)
        check_seconds(problems, "max_wait", self.max_wait, positive=False)
        self._check_store(problems)
        problems.raise_if_any("the quota is not valid")
        # Not an option: the instance is frozen, what is left of the quota is not.
        vars(self)["_turnstile"] = self._turnstile_of(
            JointBuckets(
                TokenBucket(self.requests, self.period, self.requests),
                TokenBucket(self.tokens, self.period, self.tokens),
            )
        )

    def __str__(self) -> str:
        amounts = f"{self.requests} requests, {self.tokens} tokens"
        return f"Quota {self.name} {amounts} per {self.period:g}s"

    def _price(self) -> Price:
        return Price("estimate", self.estimate, limit=self.name, most=self.tokens)

    def _open_meter(self) -> Callable[[str], Meter] | None:
        if self.usage is None:
            return None
        return partial(Meter, self.usage, self.tokens, self.name)

    def _learn(self, said: Verdict | None, cost: float, *, begun: bool = False) -> None:
        if isinstance(said, (ClientError, ResourceError)) and not begun:
            self._turnstile.charge(-cost)
        super()._learn(said, cost, begun=begun)

    def _heed(self, told: ServerLimits, cost: float) -> None:  # noqa: ARG002 - one call is let in
        self._turnstile.ration(told.tokens, calls=told.requests)
        if told.pause:
            self._turnstile.ration(None, calls=1.0, delay=told.pause)

    def _exceeded(self, wait: float) -> RateLimitExceeded:
        reason = f"{self.requests} requests and {self.tokens} tokens per {self.period:g}s"
        return RateLimitExceeded(window=self.period, reason=reason, retry_after=wait)
