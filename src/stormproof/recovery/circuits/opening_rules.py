"""When a circuit opens: after failures in a row, or at a rate of failures or of slow calls.

A rule is frozen options; ``counter()`` makes the small mutable thing that counts by it. Slow calls
are counted apart from failures, as in resilience4j: a call may be both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.circuits.sliding_window import (
    CallWindow,
    LastCalls,
    SlidingWindow,
    TimeWindow,
)
from stormproof.recovery.options import check_count, check_seconds, is_number


class OutcomeCounter(ABC):
    """Counts the outcomes of one closed period of a circuit; the circuit's lock guards it.

    Attributes:
        settled: Whether another success would change nothing, so that it need not be counted.
        count_success: Counts a call that succeeded and that nobody timed; it is given the time.
            No more stands between the circuit and what counts than has to.
    """

    __slots__ = ("count_success",)

    settled: bool = False
    count_success: Callable[[float], object]

    @abstractmethod
    def count(self, failed: bool, took: float, now: float) -> bool:
        """Count a call that ends now, and return whether it is the one too many.

        Args:
            failed: Whether it failed.
            took: Seconds; means something to rules of slow calls alone.
            now: The time; means something to rules that ``need_time``.
        """


class OpeningRule(ABC):
    """Says how many failures, or slow calls, are too many."""

    @property
    def needs_time(self) -> bool:
        """Whether it matters when a call ends."""
        return False

    @abstractmethod
    def counter(self, now: float) -> OutcomeCounter:
        """Return a counter that has seen nothing."""


@dataclass(frozen=True)
class ConsecutiveFailures(OpeningRule):
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

    def counter(self, now: float) -> OutcomeCounter:  # noqa: ARG002 - a row has no age
        """Return a counter that has seen nothing."""
        return _InARow(self.limit)


@dataclass(frozen=True)
class FailureRate(OpeningRule):
    """A share of failures among the last calls.

    Args:
        rate: The share that opens the circuit; above 0, up to 1.
        window: Seconds, or ``LastCalls``. A window of seconds slides in tenths: it covers between
            nine tenths of them and all.
        minimum_calls: With fewer calls in the window the rate says nothing.
    """

    rate: float = 0.5
    window: float | LastCalls = 30.0
    minimum_calls: int = 10

    def __post_init__(self) -> None:
        _check_rate(Problems(), self)

    def __str__(self) -> str:
        return f"{self.rate:.0%} of {_calls_of(self)}"

    @property
    def needs_time(self) -> bool:
        """Whether it matters when a call ends."""
        return not isinstance(self.window, LastCalls)

    def counter(self, now: float) -> OutcomeCounter:
        """Return a counter that has seen nothing."""
        return _Failures(self, now)


@dataclass(frozen=True)
class SlowCallRate(OpeningRule):
    """A share of slow calls, failed or not, among the last ones.

    Args:
        slower_than: Seconds; a call that takes longer is slow.
        rate: The share that opens the circuit; above 0, up to 1.
        window: Seconds, or ``LastCalls``.
        minimum_calls: With fewer calls in the window the rate says nothing.
    """

    slower_than: float
    rate: float = 0.5
    window: float | LastCalls = 30.0
    minimum_calls: int = 10

    def __post_init__(self) -> None:
        problems = Problems()
        check_seconds(problems, "slower_than", self.slower_than)
        _check_rate(problems, self)

    def __str__(self) -> str:
        return f"{self.rate:.0%} over {self.slower_than:g}s of {_calls_of(self)}"

    @property
    def needs_time(self) -> bool:
        """Whether it matters when a call ends."""
        return True

    def counter(self, now: float) -> OutcomeCounter:
        """Return a counter that has seen nothing."""
        return _SlowCalls(self, now)


def counter_of(rules: Sequence[OpeningRule], now: float) -> OutcomeCounter:
    """Return a counter that has seen nothing, for whichever of ``rules`` is met first."""
    counters = [rule.counter(now) for rule in rules]
    return counters[0] if len(counters) == 1 else _Any(counters)


class _InARow(OutcomeCounter):
    __slots__ = ("_count", "_limit", "settled")

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self.count_success = self._end_row
        self._end_row(0)

    def _end_row(self, now: float) -> None:  # noqa: ARG002
        self._count = 0
        self.settled = True

    def count(self, failed: bool, took: float, now: float) -> bool:  # noqa: ARG002
        self._count = self._count + 1 if failed else 0
        self.settled = not failed
        return self._count >= self._limit


class _Share(OutcomeCounter):
    """Counts the calls of a window; it is the marked ones that may be too many."""

    __slots__ = ("_minimum", "_rate", "_window")

    def __init__(self, rule: FailureRate | SlowCallRate, now: float) -> None:
        over = rule.window
        self._window: Final[SlidingWindow] = (
            CallWindow(over.calls) if isinstance(over, LastCalls) else TimeWindow(over, now)
        )
        self._rate: Final = rule.rate
        self._minimum: Final = rule.minimum_calls
        self.count_success = self._window.add

    def _add(self, now: float, *, marked: bool) -> bool:
        window = self._window
        window.add(now)
        if not marked:
            return False
        window.mark()
        return window.calls >= self._minimum and window.marked / window.calls >= self._rate


class _Failures(_Share):
    __slots__ = ()

    def count(self, failed: bool, took: float, now: float) -> bool:  # noqa: ARG002
        return self._add(now, marked=failed)


class _SlowCalls(_Share):
    __slots__ = ("_slower_than",)

    def __init__(self, rule: SlowCallRate, now: float) -> None:
        super().__init__(rule, now)
        self._slower_than: Final = rule.slower_than

    def count(self, failed: bool, took: float, now: float) -> bool:  # noqa: ARG002
        return self._add(now, marked=took > self._slower_than)


class _Any(OutcomeCounter):
    __slots__ = ("_counters",)

    def __init__(self, counters: Sequence[OutcomeCounter]) -> None:
        self._counters: Final = counters
        self.count_success = self._count_success

    def _count_success(self, now: float) -> None:
        for counter in self._counters:
            counter.count_success(now)

    def count(self, failed: bool, took: float, now: float) -> bool:
        too_many = False
        for counter in self._counters:  # each has to see every call
            if counter.count(failed, took, now):
                too_many = True
        return too_many


def _check_rate(problems: Problems, rule: FailureRate | SlowCallRate) -> None:
    """Raise for what is wrong with a rate, beside ``problems``."""
    fine = is_number(rule.rate) and 0 < rule.rate <= 1
    problems.check(fine, "rate", "must be more than 0 and at most 1", "number")
    if isinstance(rule.window, LastCalls):
        check_count(problems, "minimum_calls", rule.minimum_calls, most=rule.window.calls)
    else:
        check_seconds(problems, "window", rule.window)
        check_count(problems, "minimum_calls", rule.minimum_calls)
    problems.raise_if_any("the rate is not valid")


def _calls_of(rule: FailureRate | SlowCallRate) -> str:
    window = rule.window if isinstance(rule.window, LastCalls) else f"in {rule.window:g}s"
    return f"{rule.minimum_calls}+ calls {window}"
