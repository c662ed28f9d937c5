"""How many extra calls a dependency is sent while it fails.

When a dependency is down, three attempts for each call are three times the load, just when it
can bear least. A budget bounds all of them together: each success earns a part of a retry, as in
Finagle's ``RetryBudget``, and a retry is charged when it is scheduled, so that those waiting in
backoff count, as in Envoy's.
"""

from math import exp
from threading import RLock
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.options import check_seconds, is_number

_MOST_PER_SECOND: Final = 1_000_000
# A tenth, added up ten times, is a little less than one.
_ROUNDING: Final = 1e-6
# A success is dated to a hundredth of the window, which makes counting it cheap.
_STEPS: Final = 100


class RetryBudget:
    """Bounds the retries of one dependency to a part of its recent successes, plus a few.

    A balance of retries: a success adds ``ratio``, a retry takes 1, and there is no retry while
    less than 1 is left. The balance begins at ``floor * window`` and drifts back to that, by
    1 - 1/e of the difference in each window: what good times saved up fades, and an empty
    budget refills at ``floor`` a second. So over any length of time ::

        retries <= balance at its start + ratio * successes + floor * seconds

    Share one among all that calls the dependency: ``Retry(budget=...)``. It is safe between
    threads, takes the same time and memory whatever the traffic, and is never locked while a
    call is made.

    Args:
        ratio: Retries that a success earns; 0 to 1000.
        floor: Retries per second that are there however few calls succeed; 0 to a million.
        window: Seconds that a success is remembered for, more or less.
    """

    __slots__ = (
        "_balance",
        "_floor",
        "_lock",
        "_ratio",
        "_rest",
        "_settle_at",
        "_settled_at",
        "_window",
    )

    def __init__(self, ratio: float = 0.2, *, floor: float = 2.0, window: float = 10.0) -> None:
        problems = Problems()
        fine = is_number(ratio) and 0 <= ratio <= 1000  # noqa: PLR2004 - as documented
        problems.check(fine, "ratio", "must be a number from 0 to 1000", "number")
        fine = is_number(floor) and 0 <= floor <= _MOST_PER_SECOND
        problems.check(fine, "floor", f"must be a number from 0 to {_MOST_PER_SECOND}", "number")
        check_seconds(problems, "window", window)
        problems.raise_if_any("the retry budget is not valid")
        self._ratio: Final = ratio
        self._floor: Final = floor
        self._window: Final = window
        self._rest: Final = floor * window
        self._balance = self._rest
        self._settled_at = self._settle_at = current_clock().now()
        # Reentrant, because the garbage collector may run somebody's finalizer, and so a guarded
        # call, at any point of this thread.
        self._lock: Final = RLock()

    def __repr__(self) -> str:
        return f"RetryBudget({self._ratio:g}, floor={self._floor:g}, window={self._window:g})"

    def __str__(self) -> str:
        return f"{self._ratio:.0%} + {self._floor:g}/s"

    @property
    def balance(self) -> float:
        """How many retries could be scheduled at once, now."""
        with self._lock:
            self._settle(current_clock().now())
            return self._balance

    def deposit(self) -> None:
        """Count a success."""
        now = current_clock().now()
        with self._lock:
            if now >= self._settle_at:
                self._settle(now)
            self._balance += self._ratio

    def withdraw(self) -> bool:
        """Take leave for one extra call, when it is decided on; return whether there was any."""
        now = current_clock().now()
        with self._lock:
            self._settle(now)
            if self._balance < 1 - _ROUNDING:
                return False
            self._balance -= 1
            return True

    def _settle(self, now: float) -> None:
        """Let the balance drift for the time since it was last looked at."""
        elapsed = now - self._settled_at
        if elapsed > 0:
            self._settled_at = now
            self._settle_at = now + self._window / _STEPS
            left = exp(-elapsed / self._window)
            self._balance = self._rest + (self._balance - self._rest) * left
