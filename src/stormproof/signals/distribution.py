"""How long things took, by labels, within the bounds of a tally."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from threading import RLock
from typing import Final

from stormproof.signals.tally import MOST_LABEL_SETS, OTHER, Labels, label

BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds: the upper ends of the buckets, but for the last, which has none."""


@dataclass(slots=True)
class _Counts:
    total: float
    buckets: list[int]


class Distribution:
    """Counts seconds in buckets; safe between threads."""

    def __init__(self) -> None:
        self._lock: Final = RLock()  # reentrant for the reason that a tally's is
        self._counts: dict[Labels, _Counts] = {}

    def observe(self, seconds: float, *values: object) -> None:
        """Count one.

        Args:
            seconds: How long it took.
            values: The value of each label; always as many.
        """
        labels = tuple(map(label, values))
        with self._lock:
            if labels not in self._counts and len(self._counts) >= MOST_LABEL_SETS:
                labels = (OTHER,) * len(labels)
            counts = self._counts.setdefault(labels, _Counts(0.0, [0] * (len(BOUNDS) + 1)))
            counts.total += seconds
            counts.buckets[bisect_left(BOUNDS, seconds)] += 1

    def cumulative(self) -> Mapping[Labels, tuple[list[tuple[str, float]], float]]:
        """Return, by labels, how many took at most so long for each bound, and their sum."""
        with self._lock:
            return {
                labels: (_cumulative(counts.buckets), counts.total)
                for labels, counts in self._counts.items()
            }


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    ends = [*map(str, BOUNDS), "+Inf"]
    return list(zip(ends, map(float, accumulate(buckets)), strict=True))
