"""A bucket of permits that fills up evenly; a call takes one out.

Kept as one number, the time at which the bucket will be full: the "virtual scheduling" form of
the generic cell rate algorithm (ITU-T Recommendation I.371), which is the token bucket without a
counter to refill. A permit can be taken before it is there; whoever does waits until it is. So
the queue needs no list: the number says when its next turn is.
"""

from threading import RLock
from typing import Final

from stormproof.recovery.clock import current_clock

_ROUNDING: Final = 1e-9


class TokenBucket:
    """Permits at an even rate, some of them saved up; safe between threads and event loops.

    Args:
        permits: How many come in each period.
        period: Seconds.
        burst: How many there are at most.
    """

    def __init__(self, permits: int, period: float, burst: int) -> None:
        self._interval: Final = period / permits
        # Full but for one permit: then there is one to take.
        self._slack: Final = self._interval * (burst - 1)
        # Reentrant, because the garbage collector may close a pending coroutine, and so give a
        # permit back, at any point of this thread.
        self._lock: Final = RLock()
        self._full_at = float("-inf")

    def take(self, longest: float) -> float:
        """Take a permit if it is there within ``longest`` seconds.

        Returns:
            The seconds until it is there. If that is more than ``longest``, none was taken.
        """
        with self._lock:
            now = current_clock().now()
            full_at = self._full_at
            if full_at < now:  # noqa: PLR1730 - calling max() costs more
                full_at = now
            wait = full_at - now - self._slack
            if wait < _ROUNDING:
                wait = 0.0
            if wait <= longest:
                self._full_at = full_at + self._interval
            return wait

    def give_back(self) -> None:
        """Return a permit that was taken and not used."""
        with self._lock:
            self._full_at -= self._interval
