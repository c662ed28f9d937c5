"""Permits that a process has taken before calls need them, so that not each of them has to ask."""

from collections.abc import Iterable, Sequence
from threading import RLock
from typing import Final

from stormproof.recovery.limits.bucket import Rate


class Pocket:
    """Some permits from each bucket; safe between threads.

    Args:
        rates: Of the buckets.
        seconds: What comes in this time is a lot, and taken at once; nothing is where it is not a
            whole permit of each.
    """

    __slots__ = ("_left", "_lock", "_lot")

    def __init__(self, rates: Sequence[Rate], seconds: float) -> None:
        lot = tuple(seconds / rate.interval for rate in rates)
        self._lot: Final = lot if min(lot) >= 1 else (0.0,) * len(lot)
        self._lock: Final = RLock()  # reentrant for the reason that a turnstile's is
        self._left = [0.0] * len(lot)

    def room(self) -> tuple[float, ...]:
        """Return how many from each bucket are wanted: a lot where no more than that is left."""
        with self._lock:
            pairs = zip(self._left, self._lot, strict=True)
            return tuple(lot if left <= lot else 0.0 for left, lot in pairs)

    def take(self, amounts: Sequence[float]) -> bool:
        """Take so many from each bucket; return whether they were all there, else nothing was."""
        with self._lock:
            if any(amount > left for amount, left in zip(amounts, self._left, strict=True)):
                return False
            self._add(-amount for amount in amounts)
            return True

    def put(self, amounts: Sequence[float]) -> tuple[float, ...] | None:
        """Put so many in, less than 0 takes some.

        Returns:
            What the buckets are to be charged for, less than 0 is to be given back: none as long as
            there are no debts and no more than two lots.
        """
        with self._lock:
            self._add(amounts)
            pairs = list(zip(self._left, self._lot, strict=True))
            if all(0 <= left <= 2 * lot for left, lot in pairs):
                return None
            self._left = [min(max(left, 0.0), lot) for left, lot in pairs]
            return tuple(kept - left for kept, (left, _) in zip(self._left, pairs, strict=True))

    def empty(self) -> None:
        """Throw them away."""
        with self._lock:
            self._left = [0.0] * len(self._left)

    def _add(self, amounts: Iterable[float]) -> None:
        self._left = [left + more for left, more in zip(self._left, amounts, strict=True)]
