"""How one process of the engine is doing, told from what it reports."""

from collections.abc import Callable
from typing import Any, Final

from stormproof.engine.supervised.messages import Ready, Stepped
from stormproof.engine.supervised.start_deadline import StartDeadline

_LOOK: Final = 1.0
"""Seconds between two looks at a process that somebody waits for."""


class Life:
    """Tells a process that hangs from one that works, and from one that has nothing to do.

    Args:
        now: The clock.
        step_deadline: Seconds without a finished step, while somebody waits, that count as hung.
        start_deadline: What holds until it is ready, and learns from how that went.
    """

    def __init__(
        self, now: Callable[[], float], step_deadline: float, start_deadline: StartDeadline
    ) -> None:
        self.deadline = start_deadline.seconds
        self.steps = 0
        self._now = now
        self._step_deadline = step_deadline
        self._start_deadline = start_deadline
        self._longest_silence = 0.0
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
        silence, self._quiet_since = self._now() - self._quiet_since, self._now()
        self._longest_silence = max(self._longest_silence, silence)
        if isinstance(report, Ready):
            self._ready_at = self._quiet_since
            self.deadline = self._step_deadline
            self._start_deadline.kept(self._longest_silence)
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

    def hung(self) -> str:
        """Take note that it is given up; returns why."""
        if self._ready_at is None:
            self._start_deadline.missed()
        return f"nothing for {self.deadline:g} s"

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
