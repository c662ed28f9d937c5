"""Counting by labels, within bounds.

A label can be a name that somebody makes up for each call. Every new one costs memory here and in
whatever reads the series, for ever; so there is a limit, and beyond it one common place.
"""

from threading import RLock
from typing import Final

MOST_LABEL_SETS: Final = 500
"""How many combinations of label values one series keeps apart."""

OTHER: Final = "(other)"
"""Every label of what came beyond that."""

_LONGEST_LABEL: Final = 100

Labels = tuple[str, ...]


class Tally:
    """Counts things by their labels; safe between threads."""

    def __init__(self) -> None:
        # Reentrant, because the garbage collector may run somebody's code at any point of this
        # thread, and that code may be guarded, and fail.
        self._lock: Final = RLock()
        self._counts: dict[Labels, int] = {}

    def count(self, *values: object) -> None:
        """Count one thing.

        Args:
            values: The value of each label; always as many.
        """
        labels = tuple(map(label, values))
        with self._lock:
            if labels not in self._counts and len(self._counts) >= MOST_LABEL_SETS:
                labels = (OTHER,) * len(labels)
            self._counts[labels] = self._counts.get(labels, 0) + 1

    def counts(self) -> dict[Labels, int]:
        """Return how many there were, by their labels."""
        with self._lock:
            return dict(self._counts)


def label(value: object) -> str:
    """Return a value as Prometheus can take it: short, and text that has an encoding."""
    return str(value)[:_LONGEST_LABEL].encode("utf-8", "replace").decode()
