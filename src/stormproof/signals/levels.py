"""The last known value of things that go up and down, by label, within the bounds of a tally."""

from threading import RLock
from typing import Final

from stormproof.signals.tally import MOST_LABEL_SETS, label


class Levels:
    """Keeps one number for each name; safe between threads.

    There is no common place for the names beyond the limit, since levels do not add up: they are
    not shown.
    """

    def __init__(self) -> None:
        self._lock: Final = RLock()  # reentrant for the reason that a tally's is
        self._levels: dict[str, float] = {}

    def set(self, name: object, level: float) -> None:
        """Take note of a level."""
        shown = label(name)
        with self._lock:
            if shown in self._levels or len(self._levels) < MOST_LABEL_SETS:
                self._levels[shown] = level

    def levels(self) -> dict[str, float]:
        """Return the last level of each name."""
        with self._lock:
            return dict(self._levels)
