"""How long things took, in buckets."""

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final


class Buckets:
    """Counts seconds; without locks.

    Args:
        bounds: The upper ends of the buckets, in seconds, but for the last, which has none.
    """

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds: Final = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count what took so long, so many times."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._total += seconds * times

    def observe_all(self, seconds: list[float]) -> None:
        """Count many at once, which takes a fraction of the time; they are put in order."""
        seconds.sort()
        counted = 0
        for place, bound in enumerate(self._bounds):
            up_to = bisect_right(seconds, bound, counted)
            self._counts[place] += up_to - counted
            counted = up_to
        self._counts[-1] += len(seconds) - counted
        self._total += sum(seconds)

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """Return how many took at most so long for each bound, and the sum of all."""
        ends = [*map(str, self._bounds), "+Inf"]
        return list(zip(ends, map(float, accumulate(self._counts)), strict=True)), self._total
