"""When a circuit opens: after failures in a row, or at a rate of failures.

A rule is frozen options; ``counter()`` makes the small mutable thing that counts by it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.options import check_count, check_seconds, is_number

_BUCKETS: Final = 10


class FailureCounter(ABC):
    """Counts the outcomes of one closed period of a circuit; the circuit's lock guards it."""

    @abstractmethod
    def succeeded(self) -> None:
        """Count a success."""

    @abstractmethod
    def failed(self) -> bool:
        """Count a failure; return whether it is one too many."""


class FailureRule(ABC):
    """Says how many failures are too many."""

    @abstractmethod
    def counter(self) -> FailureCounter:
        """Return a counter that has seen nothing."""


@dataclass(frozen=True)
class ConsecutiveFailures(FailureRule):
    """So many failures with no success between them.

    Args:
        limit: The failure that opens the circuit; 1 or more.
    """

    limit: int = 5

    def __post_init__(self) -> None:
        problems = Problems()
        check_count(problems, "limit", self.limit)
        problems.raise_if_any("the failure rule is not valid")

    def __str__(self) -> str:
        return f"{self.limit} failures in a row"

    def counter(self) -> FailureCounter:
        """Return a counter that has seen nothing."""
        return _InARow(self.limit)


@dataclass(frozen=True)
class FailureRate(FailureRule):
    """A share of the calls in a sliding window of time.

    Args:
        rate: The share of failures that opens the circuit; above 0, up to 1.
        window: Seconds. The window slides in tenths, so it covers between nine tenths and all
            of them, in constant memory whatever the traffic.
        minimum_calls: With fewer calls in the window the rate says nothing.
    """

    rate: float = 0.5
    window: float = 30.0
    minimum_calls: int = 10

    def __post_init__(self) -> None:
        problems = Problems()
        fine = is_number(self.rate) and 0 < self.rate <= 1
        problems.check(fine, "rate", "must be more than 0 and at most 1", "number")
        check_seconds(problems, "window", self.window)
        check_count(problems, "minimum_calls", self.minimum_calls)
        problems.raise_if_any("the failure rule is not valid")

    def __str__(self) -> str:
        return f"{self.rate:.0%} of {self.minimum_calls}+ calls in {self.window:g}s"

    def counter(self) -> FailureCounter:
        """Return a counter that has seen nothing."""
        return _InAWindow(self)


class _InARow(FailureCounter):
    __slots__ = ("_count", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def succeeded(self) -> None:
        self._count = 0

    def failed(self) -> bool:
        self._count += 1
        return self._count >= self._limit


class _InAWindow(FailureCounter):
    """A ring of buckets: each holds the outcomes of a tenth of the window."""

    __slots__ = (
        "_bucket_ends",
        "_calls",
        "_calls_in",
        "_failures",
        "_failures_in",
        "_rule",
        "_slot",
        "_width",
    )

    def __init__(self, rule: FailureRate) -> None:
        self._rule = rule
        self._width = rule.window / _BUCKETS
        self._clear(current_clock().now())

    def succeeded(self) -> None:
        now = current_clock().now()
        if now >= self._bucket_ends:
            self._slide(now)
        self._calls += 1
        self._calls_in[self._slot] += 1

    def failed(self) -> bool:
        self.succeeded()  # counts the call, whose end comes below
        self._failures += 1
        self._failures_in[self._slot] += 1
        enough = self._calls >= self._rule.minimum_calls
        return enough and self._failures / self._calls >= self._rule.rate

    def _clear(self, now: float) -> None:
        self._calls = self._failures = self._slot = 0
        self._calls_in = [0] * _BUCKETS
        self._failures_in = [0] * _BUCKETS
        self._bucket_ends = now + self._width

    def _slide(self, now: float) -> None:
        """Empty the buckets that the window has left behind."""
        steps = int((now - self._bucket_ends) / self._width) + 1
        if steps >= _BUCKETS:
            self._clear(now)
            return
        for _ in range(steps):
            self._slot = slot = (self._slot + 1) % _BUCKETS
            self._calls -= self._calls_in[slot]
            self._failures -= self._failures_in[slot]
            self._calls_in[slot] = self._failures_in[slot] = 0
        self._bucket_ends += steps * self._width
