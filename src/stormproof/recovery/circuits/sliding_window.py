"""How many of the last calls were marked: of the last so many, or of the last so many seconds.

Both windows take the same time for every call, and memory that does not depend on the traffic.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.options import check_count

MOST_CALLS: Final = 100_000
"""A window of calls takes a byte for each."""

_BUCKETS: Final = 10


@dataclass(frozen=True)
class LastCalls:
    """A window of the last so many calls, however long ago they were.

    Args:
        calls: How many; 1 to 100,000.
    """

    calls: int

    def __post_init__(self) -> None:
        problems = Problems()
        check_count(problems, "calls", self.calls, most=MOST_CALLS)
        problems.raise_if_any("the window is not valid")

    def __str__(self) -> str:
        return f"of the last {self.calls}"


class SlidingWindow(ABC):
    """Counts the calls of a window, and the marked ones among them.

    Attributes:
        calls: How many calls are in the window.
        marked: How many of those were marked.
    """

    __slots__ = ("calls", "marked")

    calls: int
    marked: int

    @abstractmethod
    def add(self, now: float) -> None:
        """Count a call that ends now."""

    @abstractmethod
    def mark(self) -> None:
        """Mark the call that was counted last."""


class CallWindow(SlidingWindow):
    """The last so many calls: a ring with one mark for each."""

    __slots__ = ("_last", "_marks", "_size")

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._marks: Final = bytearray(size)
        self._last = -1
        self.calls = self.marked = 0

    def add(self, now: float) -> None:  # noqa: ARG002 - age does not matter here
        """Count a call in the place of the oldest one."""
        self._last = oldest = (self._last + 1) % self._size
        self.marked -= self._marks[oldest]
        self._marks[oldest] = 0
        if self.calls < self._size:
            self.calls += 1

    def mark(self) -> None:
        """Mark the call that was counted last."""
        self._marks[self._last] = 1
        self.marked += 1


class TimeWindow(SlidingWindow):
    """The last so many seconds: a ring of buckets, one for each tenth of them.

    It slides by a bucket at a time, so it covers between nine tenths of the seconds and all. What
    is in the newest bucket is what came since it began, and is written down when it ends.
    """

    __slots__ = (
        "_bucket_ends",
        "_calls_before",
        "_calls_in",
        "_marked_before",
        "_marked_in",
        "_slot",
        "_width",
    )

    def __init__(self, seconds: float, now: float) -> None:
        self._width: Final = seconds / _BUCKETS
        self._clear(now)

    def add(self, now: float) -> None:
        """Count a call that ends now."""
        if now >= self._bucket_ends:
            self._slide(now)
        self.calls += 1

    def mark(self) -> None:
        """Mark the call that was counted last."""
        self.marked += 1

    def _clear(self, now: float) -> None:
        self.calls = self.marked = self._slot = 0
        self._calls_before = self._marked_before = 0
        self._calls_in = [0] * _BUCKETS
        self._marked_in = [0] * _BUCKETS
        self._bucket_ends = now + self._width

    def _slide(self, now: float) -> None:
        """Empty the buckets that the window has left behind."""
        late = now - self._bucket_ends
        if late >= (_BUCKETS - 1) * self._width:
            self._clear(now)
            return
        steps = int(late / self._width) + 1
        self._calls_in[self._slot] = self.calls - self._calls_before
        self._marked_in[self._slot] = self.marked - self._marked_before
        for _ in range(steps):
            self._slot = slot = (self._slot + 1) % _BUCKETS
            self.calls -= self._calls_in[slot]
            self.marked -= self._marked_in[slot]
            self._calls_in[slot] = self._marked_in[slot] = 0
        self._calls_before, self._marked_before = self.calls, self.marked
        self._bucket_ends += steps * self._width
