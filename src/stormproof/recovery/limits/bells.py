"""How a thread or a task that waits is woken, from any other."""

from threading import Event
from typing import Protocol

from stormproof.recovery.clock import current_clock


class Bell(Protocol):
    """Wakes one that waits, once."""

    def ring(self) -> None:
        """Wake it, now or as soon as it waits.

        Raises:
            RuntimeError: Nobody can be there any more: its event loop is closed.
        """


class ThreadBell:
    """Wakes a thread."""

    __slots__ = ("_rung",)

    def __init__(self) -> None:
        self._rung = Event()

    def ring(self) -> None:
        """Wake the thread."""
        self._rung.set()

    def wait(self, seconds: float | None) -> None:
        """Block the thread until it is woken, or for so many seconds; None: until it is."""
        current_clock().wait(self._rung, seconds)


class TaskBell:
    """Wakes a task."""

    __slots__ = ("_loop", "_rung")

    def __init__(self) -> None:
        from asyncio import get_running_loop  # noqa: PLC0415 - heavy

        self._loop = get_running_loop()
        self._rung = self._loop.create_future()

    def ring(self) -> None:
        """Wake the task."""
        self._loop.call_soon_threadsafe(self._wake)

    async def wait(self, seconds: float | None) -> None:
        """Suspend the task until it is woken, or for so many seconds; None: until it is."""
        if seconds is None:
            await self._rung
            return
        timer = current_clock().call_later(self._loop, seconds, self._wake)
        try:
            await self._rung
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if not self._rung.done():
            self._rung.set_result(None)
