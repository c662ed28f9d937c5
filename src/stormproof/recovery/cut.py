"""Cancelling a task for a reason of one's own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Cut:
    """Cancels a task when called, and can tell its own request from anybody else's.

    The counting is that of ``asyncio.timeout``: a task that others asked to cancel as well is
    cancelled, and not for this reason alone.

    Args:
        task: What to cancel; None for nothing yet.

    Attributes:
        fired: Whether it was called.
    """

    __slots__ = ("_requests", "_task", "fired")

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        self.fired = False
        self.watch(task)

    def watch(self, task: "asyncio.Task[Any] | None") -> None:
        """Aim at another task, or at nothing for now."""
        self._task = task
        self._requests = task.cancelling() if task else 0

    def aims_at(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether it is this task that a call would cancel."""
        return self._task is task

    def __call__(self) -> None:
        """Ask the task to end."""
        self.fired = True
        if self._task is not None:
            self._task.cancel()

    def withdraw(self) -> bool:
        """Let go of the task; return whether this, and nobody else, asked to cancel it."""
        task, self._task = self._task, None
        return self.fired and task is not None and task.uncancel() <= self._requests
