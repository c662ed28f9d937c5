"""What a limit has to give: permits that come at an even rate, some of them saved up.

A bucket is kept as one number, the time at which it will be full: the "virtual scheduling" form
of the generic cell rate algorithm (ITU-T Recommendation I.371), which is the token bucket without
a counter to refill. Where the number lies further ahead than the bucket is deep, it is in debt.

A limit knows its buckets as an ``Allowance`` and nothing else about them, so that permits that
several processes share can take their place. Who waits for them, in what order and how long, is
the business of ``turnstile.py``, which asks under its lock.
"""

from typing import Final, NamedTuple, Protocol

_ROUNDING: Final = 1e-9


class Rate(NamedTuple):
    """How a bucket of permits fills up.

    Attributes:
        interval: Seconds in which one comes.
        depth: Seconds in which it fills up from empty.
    """

    interval: float
    depth: float


class Allowance(Protocol):
    """What there is to take. ``now`` is the time in seconds on the clock of this process."""

    @property
    def rates(self) -> tuple[Rate, ...]:
        """How it fills up: of what calls cost, or first of the calls and then of that."""

    def take(self, cost: float, now: float) -> float:
        """Take what a call costs if it is there, all of it or nothing.

        Returns:
            0 if it was taken, else the seconds until it is there if nobody else takes anything.
        """

    def give_back(self, cost: float, now: float) -> None:
        """Return what was taken for a call that was not made."""

    def charge(self, extra: float, now: float) -> None:
        """Correct the cost of a call that was made, by less than nothing if it cost less.

        It is charged whether it is there or not: the bucket may get into debt.
        """

    def wait_for(self, cost: float, now: float, calls: int = 1) -> float:
        """Return the seconds until so many calls, of this cost together, could be let in."""

    def ration(
        self, cost: float | None, now: float, *, calls: float | None = None, delay: float = 0.0
    ) -> None:
        """Have no more than this left after ``delay`` seconds; never more than there was.

        Args:
            cost: How much of what calls cost; None leaves it as it is.
            now: The time.
            calls: How many calls, where they are counted too.
            delay: Seconds, in which there is less still.
        """


class TokenBucket:
    """Permits at an even rate, some of them saved up. It has no lock: its owner does.

    Args:
        permits: How many come in each period.
        period: Seconds.
        burst: How many there are at most.

    Attributes:
        full_at: When it will be full, or was.
    """

    __slots__ = ("_depth", "_interval", "_reach", "full_at")

    def __init__(self, permits: float, period: float, burst: float) -> None:
        self._interval: Final = period / permits
        self._depth: Final = self._interval * burst
        self._reach: Final = self._depth + _ROUNDING
        self.full_at = float("-inf")

    @property
    def rates(self) -> tuple[Rate, ...]:
        """How it fills up."""
        return (Rate(self._interval, self._depth),)

    def take(self, cost: float, now: float) -> float:
        """Take ``cost`` permits if they are there; return 0 or the seconds until they are."""
        full_at = self.full_at
        if full_at < now:  # noqa: PLR1730 - calling max() costs more
            full_at = now
        full_at += cost * self._interval
        if full_at - now > self._reach:
            return full_at - now - self._depth
        self.full_at = full_at
        return 0.0

    def give_back(self, cost: float, now: float) -> None:
        """Return permits that were taken and not used."""
        self.charge(-cost, now)

    def charge(self, extra: float, now: float) -> None:
        """Take ``extra`` permits whether they are there or not; less than 0 are given back."""
        full_at = self.full_at
        if full_at < now:  # noqa: PLR1730 - calling max() costs more
            full_at = now
        self.full_at = full_at + extra * self._interval

    def wait_for(self, cost: float, now: float, calls: int = 1) -> float:  # noqa: ARG002 - uncounted
        """Return the seconds until ``cost`` permits are there."""
        full_at = max(self.full_at, now) + cost * self._interval
        return full_at - now - self._depth if full_at - now > self._reach else 0.0

    def ration(
        self,
        cost: float | None,
        now: float,
        *,
        calls: float | None = None,  # noqa: ARG002 - not counted here
        delay: float = 0.0,
    ) -> None:
        """Have no more than ``cost`` permits left after ``delay`` seconds."""
        if cost is not None:
            missing = max(self._depth - cost * self._interval, 0.0)
            self.full_at = max(self.full_at, now + delay + missing)


class JointBuckets:
    """Calls and what they cost, each at its own rate, taken together: both or neither.

    Args:
        calls: Where each call takes one permit.
        costs: Where each call takes what it costs.
    """

    __slots__ = ("_calls", "_costs")

    def __init__(self, calls: TokenBucket, costs: TokenBucket) -> None:
        self._calls: Final = calls
        self._costs: Final = costs

    @property
    def rates(self) -> tuple[Rate, ...]:
        """How both fill up."""
        return self._calls.rates + self._costs.rates

    def take(self, cost: float, now: float) -> float:
        """Take one call and its cost if both are there; return 0 or the seconds until they are."""
        wait = self._calls.take(1, now)
        if wait:
            return max(wait, self._costs.wait_for(cost, now))
        wait = self._costs.take(cost, now)
        if wait:
            self._calls.give_back(1, now)
        return wait

    def give_back(self, cost: float, now: float) -> None:
        """Return what was taken for a call that was not made."""
        self._calls.give_back(1, now)
        self._costs.give_back(cost, now)

    def charge(self, extra: float, now: float) -> None:
        """Correct the cost of a call; that it was made stays counted."""
        self._costs.charge(extra, now)

    def wait_for(self, cost: float, now: float, calls: int = 1) -> float:
        """Return the later of two times, in seconds: that for the calls and that for the cost."""
        return max(self._calls.wait_for(calls, now), self._costs.wait_for(cost, now))

    def ration(
        self, cost: float | None, now: float, *, calls: float | None = None, delay: float = 0.0
    ) -> None:
        """Have no more than so many calls, and no more of what they cost, after ``delay``."""
        self._calls.ration(calls, now, delay=delay)
        self._costs.ration(cost, now, delay=delay)
