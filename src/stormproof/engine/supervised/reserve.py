"""A process that is loaded beside the one that works, to take over within milliseconds."""

import math
from collections.abc import Callable
from typing import Final

from stormproof.engine.supervised.messages import Ready, Start
from stormproof.engine.supervised.worker_process import WorkerGone, WorkerProcess
from stormproof.recovery import GrowingBreak

_WAITS: Final = GrowingBreak(first=1, factor=4, longest=600, jitter=0.5)
"""How long nothing takes the place of one that died: loading costs the one that works its time."""


class Reserve:
    """Has one spare process, or none for a while.

    Args:
        now: The clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.worker: WorkerProcess | None = None
        self._ready: Ready | None = None
        self._now = now
        self._due = -math.inf
        self._wait = 0.0

    def replenish(self, start: Start) -> float | None:
        """See to it that there is one; to be called again whenever that says something.

        Args:
            start: What it is to load.

        Returns:
            Seconds after which to call again in any case; None for no end.
        """
        if self.worker and not self._lives(self.worker):
            self.clear()
            self._put_off()
        if self.worker:
            return None
        if self._now() >= self._due:
            try:
                self.worker = WorkerProcess(start)
            except OSError:  # later, perhaps: nobody depends on it
                self._put_off()
            else:
                return None
        return self._due - self._now()

    def take(self) -> tuple[WorkerProcess, Ready] | None:
        """Give the spare process away, with its report.

        One that is not ready by now is ended: it may be stuck, and would take as long as a new one.
        """
        if self.worker and self._lives(self.worker) and self._ready:
            taken = self.worker, self._ready
            self.worker = self._ready = None
            return taken
        self.clear()
        return None

    def clear(self) -> None:
        """End what there is."""
        if self.worker:
            self.worker.kill()
        self.worker = self._ready = None

    def _lives(self, worker: WorkerProcess) -> bool:
        """Take what it says, so that it never waits for a listener; returns whether it is there."""
        try:
            for report in worker.said():
                if isinstance(report, Ready):
                    self._ready, self._wait = report, 0.0
        except WorkerGone:
            return False
        return True

    def _put_off(self) -> None:
        self._wait = _WAITS.following(self._wait)
        self._due = self._now() + _WAITS.drawn(self._wait)
