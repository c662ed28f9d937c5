"""How one process of the engine is doing, told from what it reports."""

from collections.abc import Callable
from typing import Any, Final

from stormproof.engine.supervised.messages import Ready, Stepped

_START_DEADLINE: Final = 300.0
"""Seconds without a word while a model loads: its disk may be slow, or somebody else's."""

_LOOK: Final = 1.0
"""Seconds between two looks at a process that somebody waits for."""


class Life:
    """Tells a process that hangs from one that works, and from one that has nothing to do.

    Args:
        now: The clock.
        step_deadline: Seconds without a finished step, while somebody waits, that count as hung.
    """

    def __init__(self, now: Callable[[], float], step_deadline: float) -> None:
        self.deadline = _START_DEADLINE
        self.steps = 0
        self._now = now
        self._step_deadline = step_deadline
        self._ready_at: float | None = None
        self._quiet_since = self._watched_at = now()
        self._waiting = True

    def expects(self, *, waiting: bool) -> None:
        """Take note of whether somebody waits."""
        if waiting and not self._waiting:
            self._quiet_since = self._now()
        self._waiting = waiting or self._ready_at is None

    def heard(self, report: Any) -> None:
        """Take note of a sign of life."""
        self._quiet_since = self._now()
        if isinstance(report, Ready):
            self._ready_at = self._quiet_since
            self.deadline = self._step_deadline
        elif isinstance(report, Stepped):
            self.steps = report.stats.steps

    def watched(self) -> None:
        """Take note that somebody looks at it.

        A look that is long overdue means that all was paused, and the process with it: that time
        does not count.
        """
        now = self._now()
        missed = now - self._watched_at - _LOOK
        if missed > _LOOK:
            self._quiet_since = min(now, self._quiet_since + missed)
        self._watched_at = now

    @property
    def next_look(self) -> float | None:
        """Seconds until somebody should look at it; None for when it says something."""
        patience = self.patience
        return None if patience is None else min(patience, _LOOK)

    @property
    def patience(self) -> float | None:
        """Seconds until it is overdue; None for no end."""
        return self._quiet_since + self.deadline - self._now() if self._waiting else None

    @property
    def overdue(self) -> bool:
        """Whether it hangs."""
        patience = self.patience
        return patience is not None and patience <= 0

    @property
    def served(self) -> float:
        """Seconds for which it was ready."""
        return 0.0 if self._ready_at is None else self._now() - self._ready_at
