"""How many calls at once a dependency can bear, found out from how it answers.

An algorithm is frozen options; ``estimate()`` makes the small mutable thing that follows one
dependency. While less than half of the limit is in use its calls say nothing about how high it
could be: no algorithm raises it then.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.options import check_count, check_seconds, is_number

_LEAST_CALLS: Final = 20
_STEEPEST: Final = 0.5
_FASTER: Final = 0.7


class LimitEstimate(ABC):
    """The estimated limit of one dependency; whoever asks it holds a lock.

    Args:
        initial: The limit to begin with.
        minimum: It never gets lower than this.
        maximum: Nor higher than this.
    """

    __slots__ = ("_maximum", "_minimum", "_value")

    def __init__(self, initial: int, minimum: int, maximum: int) -> None:
        self._minimum: Final = minimum
        self._maximum: Final = maximum
        self._value = float(initial)

    @abstractmethod
    def update(self, began: float, seconds: float, running: int, dropped: bool) -> int:
        """Learn from a call, and return the limit.

        Args:
            began: When it was let in, in seconds on the clock.
            seconds: How long it took from then on.
            running: How many calls ran when it was let in, itself included.
            dropped: Whether the dependency could not take it.
        """

    def _set(self, value: float) -> None:
        self._value = min(max(value, self._minimum), self._maximum)


class LimitAlgorithm(ABC):
    """Says how the limit follows from the calls."""

    @abstractmethod
    def estimate(self, initial: int, minimum: int, maximum: int) -> LimitEstimate:
        """Return an estimate that has seen nothing."""


@dataclass(frozen=True)
class AIMD(LimitAlgorithm):
    """Additive increase, multiplicative decrease: a latency that is too long is known.

    As in TCP's congestion avoidance (Chiu and Jain, "Analysis of the Increase and Decrease
    Algorithms for Congestion Avoidance in Computer Networks", 1989; RFC 5681): the limit grows by
    ``increase`` in the time in which as many calls as the limit are made, and falls at most once
    for the calls that were under way together.

    Args:
        latency: Seconds; a call that takes longer means that the limit is too high.
        increase: How many calls the limit grows by; above 0, up to 100.
        backoff: What the limit is multiplied by when it falls; 0.1 to 0.99.
    """

    latency: float
    increase: float = 1.0
    backoff: float = 0.9

    def __post_init__(self) -> None:
        problems = Problems()
        check_seconds(problems, "latency", self.latency)
        fine = is_number(self.increase) and 0 < self.increase <= 100  # noqa: PLR2004 - documented
        problems.check(fine, "increase", "must be more than 0 and at most 100", "number")
        fine = is_number(self.backoff) and 0.1 <= self.backoff <= 0.99  # noqa: PLR2004 - documented
        problems.check(fine, "backoff", "must be a number from 0.1 to 0.99", "number")
        problems.raise_if_any("the limit algorithm is not valid")

    def __str__(self) -> str:
        return f"AIMD within {self.latency:g}s"

    def estimate(self, initial: int, minimum: int, maximum: int) -> LimitEstimate:
        """Return an estimate that has seen nothing."""
        return _Sawtooth(self, initial, minimum, maximum)


@dataclass(frozen=True)
class Gradient(LimitAlgorithm):
    """Follows the ratio of the usual latency to the present one: no latency needs to be known.

    After each window the limit is multiplied by ``tolerance * usual / present``, at most 1 and at
    least 0.5, and its square root is added, the queue that the dependency may have; of that
    change the part ``smoothing`` is made. If calls were dropped, the limit is multiplied by the
    share of the others, should that be less, and nothing is added.

    This is Gradient2 of Netflix's concurrency-limits but for what is usual. There it is the
    average of all calls: with a dependency that is busy for long the high latency becomes the
    usual one, and the limit climbs to its maximum. Here it is the average of the windows in which
    no more than half of the limit was in use. When there was none for long, the limit is halved
    until there is one, much as Envoy's adaptive concurrency measures its ``minRTT``.

    Args:
        tolerance: How many times the usual latency is fine; from 1 to less than 2.
        smoothing: The part of each change that is made; above 0, up to 1.
        window: Seconds of one window; it lasts on until it has 20 calls.
        long_window: How many windows the usual latency is averaged over, more or less, and after
            how many without a quiet one the limit is halved; 10 to 10,000.
    """

    tolerance: float = 1.5
    smoothing: float = 0.2
    window: float = 1.0
    long_window: int = 60

    def __post_init__(self) -> None:
        problems = Problems()
        fine = is_number(self.tolerance) and 1 <= self.tolerance < 2  # noqa: PLR2004 - documented
        problems.check(fine, "tolerance", "must be from 1 to less than 2", "number")
        fine = is_number(self.smoothing) and 0 < self.smoothing <= 1
        problems.check(fine, "smoothing", "must be more than 0 and at most 1", "number")
        check_seconds(problems, "window", self.window)
        check_count(problems, "long_window", self.long_window, least=10, most=10_000)
        problems.raise_if_any("the limit algorithm is not valid")

    def __str__(self) -> str:
        return f"gradient, tolerance {self.tolerance:g}"

    def estimate(self, initial: int, minimum: int, maximum: int) -> LimitEstimate:
        """Return an estimate that has seen nothing."""
        return _Slope(self, initial, minimum, maximum)


class _Sawtooth(LimitEstimate):
    __slots__ = ("_lowered_at", "_rule")

    def __init__(self, rule: AIMD, initial: int, minimum: int, maximum: int) -> None:
        super().__init__(initial, minimum, maximum)
        self._rule = rule
        self._lowered_at = -inf

    def update(self, began: float, seconds: float, running: int, dropped: bool) -> int:
        if dropped or seconds > self._rule.latency:
            # Calls that were under way when the limit fell say nothing about the new one.
            if began >= self._lowered_at:
                self._lowered_at = began + seconds
                self._set(self._value * self._rule.backoff)
        elif running * 2 >= self._value:
            self._set(self._value + self._rule.increase / self._value)
        return int(self._value)


class _Slope(LimitEstimate):
    __slots__ = (
        "_age",
        "_closes_at",
        "_drops",
        "_kept",
        "_most_running",
        "_probing",
        "_rule",
        "_total",
        "_usual",
    )

    def __init__(self, rule: Gradient, initial: int, minimum: int, maximum: int) -> None:
        super().__init__(initial, minimum, maximum)
        self._rule = rule
        self._usual = inf
        self._age = 0.0
        self._probing = False
        self._closes_at = -inf
        self._kept = self._drops = self._most_running = 0
        self._total = 0.0

    def update(self, began: float, seconds: float, running: int, dropped: bool) -> int:
        if dropped:
            self._drops += 1
        else:
            self._kept += 1
            self._total += seconds
        if running > self._most_running:  # noqa: PLR1730 - calling max() costs more
            self._most_running = running
        ended = began + seconds
        if ended >= self._closes_at and self._kept + self._drops >= _LEAST_CALLS:
            self._close()
            self._closes_at = ended + self._rule.window
            self._kept = self._drops = self._most_running = 0
            self._total = 0.0
        return int(self._half if self._probing else self._value)

    def _close(self) -> None:
        """Draw the conclusions from a window."""
        present = self._total / self._kept if self._kept else inf
        loaded = not self._probing and self._most_running * 2 >= self._value
        if self._kept:
            self._learn_usual(present)
        if loaded or self._drops:
            self._set(self._value + self._rule.smoothing * (self._target(present) - self._value))

    def _learn_usual(self, present: float) -> None:
        """Update the usual latency, or set out to see it when that is too long ago."""
        self._age += 1
        quiet = self._most_running <= self._half
        if self._usual == inf:
            self._usual = present
            self._age = 0.0 if quiet else inf  # under load the usual latency does not show
        elif quiet or present < self._usual:
            weight = 1 - exp(-self._age / self._rule.long_window)
            if present < _FASTER * self._usual:  # no chance: that is of a slower time
                weight = max(weight, self._rule.smoothing)
            self._usual += weight * (present - self._usual)
            self._age = 0.0
        self._probing = not quiet and (self._probing or self._age >= self._rule.long_window)

    @property
    def _half(self) -> float:
        return max(self._value / 2, self._minimum)

    def _target(self, present: float) -> float:
        gradient = self._kept / (self._kept + self._drops)
        fine = self._rule.tolerance * self._usual
        if present > fine:
            gradient = min(gradient, fine / present)
        queue = 0.0 if self._drops else sqrt(self._value)
        return self._value * max(gradient, _STEEPEST) + queue
