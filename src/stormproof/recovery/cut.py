"""Cancelling a task for a reason of one's own."""

from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    CurrentTask: TypeAlias = Callable[[asyncio.AbstractEventLoop], asyncio.Task[Any] | None]


class Cut:
    """Cancels a task when called, and can tell its own request from anybody else's.

    The counting is that of ``asyncio.timeout``: a task that others asked to cancel as well is
    cancelled, and not for this reason alone.

    Args:
        task: What to cancel; None for nothing yet.

    Attributes:
        fired: Whether it was called.
    """

    __slots__ = ("_requests", "_task", "_thread", "fired")

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        self.fired = False
        self._thread = get_ident()
        self._task = task
        self._requests = task.cancelling() if task else 0

    def watch(self, task: "asyncio.Task[Any] | None") -> None:
        """Aim at another task, or at nothing for now."""
        self._task = task
        self._requests = task.cancelling() if task else 0

    def is_here(self, current_task: "CurrentTask") -> bool:
        """Whether what a call would cancel is the task that asks.

        Which loop this is need not be found out, which is dear: it is the task's own, if this is
        its thread.

        Args:
            current_task: That of asyncio, which this module does not import.
        """
        task = self._task
        if task is None or self._thread != get_ident():
            return False
        return current_task(task.get_loop()) is task

    def __call__(self, *_: object) -> None:
        """Ask the task to end, whoever calls: a timer, or a future with itself."""
        self.fired = True
        if self._task is not None:
            self._task.cancel()

    def withdraw(self) -> bool:
        """Let go of the task; return whether this, and nobody else, asked to cancel it."""
        task, self._task = self._task, None
        return self.fired and task is not None and task.uncancel() <= self._requests
