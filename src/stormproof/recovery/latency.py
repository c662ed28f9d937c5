"""How long the last calls took.

A ring of the last latencies beside the same ones in order: the running order statistics of a
window (Hettinger's recipes on ``bisect``). For a few hundred numbers, moving half of them by one
place in memory is cheaper than any tree or histogram, and every quantile is exact, at once. A
call pays one append; what is new is put in order when somebody asks.
"""

from bisect import bisect_left, insort
from collections import deque
from math import ceil
from threading import RLock
from typing import Final


class LatencyRecord:
    """The latencies of the last calls; safe between threads, in constant memory.

    Args:
        size: How many calls are remembered.
    """

    __slots__ = ("_last", "_lock", "_new", "_ordered", "_size")

    def __init__(self, size: int = 128) -> None:
        self._size: Final = size
        self._new: Final[deque[float]] = deque(maxlen=size)
        self._last: Final[deque[float]] = deque()
        self._ordered: Final[list[float]] = []
        # Reentrant, because the garbage collector may run somebody's finalizer, and so a guarded
        # call, at any point of this thread.
        self._lock: Final = RLock()

    def add(self, seconds: float) -> None:
        """Remember how long a call took, and forget the oldest one if there are too many."""
        self._new.append(seconds)  # atomic, and so needs no lock

    def quantile(self, q: float, *, minimum: int) -> float | None:
        """Return the seconds in which at least the part ``q`` of the calls was over.

        Args:
            q: 0 to 1; the nearest rank counts, so it is always the latency of some call.
            minimum: With fewer calls than this, at least 1, there is no saying: None.
        """
        with self._lock:
            self._put_in_order()
            calls = len(self._ordered)
            if calls < max(minimum, 1):
                return None
            return self._ordered[max(ceil(q * calls), 1) - 1]

    def _put_in_order(self) -> None:
        while self._new:  # asked anew each time: a finalizer may have been here meanwhile
            seconds = self._new.popleft()
            insort(self._ordered, seconds)
            self._last.append(seconds)
            if len(self._last) > self._size:
                del self._ordered[bisect_left(self._ordered, self._last.popleft())]
