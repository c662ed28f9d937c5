"""A number of places, and those who wait for one in the order they came.

A place that is given back goes straight to the first in the queue: a newcomer cannot slip in
between. Threads and tasks, of whatever event loop, wait in one queue.
"""

from collections import OrderedDict
from threading import Event, RLock
from typing import Final, Protocol

from stormproof.recovery.clock import current_clock


class Turn(Protocol):
    """Somebody in the queue.

    Attributes:
        admitted: Whether it has a place.
    """

    admitted: bool

    def admit(self) -> None:
        """Give it a place and wake it.

        Raises:
            RuntimeError: Nobody can be there any more: its event loop is closed.
        """


class ThreadTurn:
    """A thread in the queue."""

    __slots__ = ("_woken", "admitted")

    def __init__(self) -> None:
        self.admitted = False
        self._woken = Event()

    def admit(self) -> None:
        """Give it a place and wake it."""
        self.admitted = True
        self._woken.set()

    def wait(self, seconds: float | None) -> None:
        """Block the thread until it is admitted, or for so many seconds."""
        current_clock().wait(self._woken, seconds)


class TaskTurn:
    """A task in the queue."""

    __slots__ = ("_loop", "_woken", "admitted")

    def __init__(self) -> None:
        from asyncio import get_running_loop  # noqa: PLC0415 - heavy

        self.admitted = False
        self._loop = get_running_loop()
        self._woken = self._loop.create_future()

    def admit(self) -> None:
        """Give it a place and wake it."""
        self._loop.call_soon_threadsafe(self._wake)
        self.admitted = True

    async def wait(self, seconds: float | None) -> None:
        """Suspend the task until it is admitted, or for so many seconds."""
        if seconds is None:
            await self._woken
            return
        timer = current_clock().call_later(self._loop, seconds, self._wake)
        try:
            await self._woken
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)


class Places:
    """A fair semaphore with a bounded queue; safe between threads and event loops.

    Args:
        limit: How many places there are.
        queue: How many may wait for one.
    """

    def __init__(self, limit: int, queue: int) -> None:
        self._limit: Final = limit
        self._queue: Final = queue
        # Reentrant, because the garbage collector may close a pending coroutine, and so give a
        # place back, at any point of this thread.
        self._lock: Final = RLock()
        self._free = limit
        self._waiting: OrderedDict[Turn, None] = OrderedDict()
        self._busy_since = 0.0
        self._admitted = 0

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._limit - self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self) -> bool:
        """Take a place if one is free, which it never is while somebody waits."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    def join(self, turn: Turn) -> bool:
        """Let ``turn`` wait for a place; return whether the queue had room for it."""
        with self._lock:
            if not self._waiting:
                self._busy_since = current_clock().now()
                self._admitted = 0
            if not self._free and len(self._waiting) >= self._queue:
                return False
            self._waiting[turn] = None
            self._admit()
            return True

    def withdraw(self, turn: Turn) -> bool:
        """Let ``turn`` wait no longer; return whether it has a place."""
        with self._lock:
            self._waiting.pop(turn, None)
            return turn.admitted

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self._free += 1
            if self._waiting:
                self._admit()

    def drains_in(self) -> float | None:
        """Return the seconds until the queue is empty at its present pace, None if unknown."""
        with self._lock:
            if not self._admitted:
                return None
            took = current_clock().now() - self._busy_since
            return took / self._admitted * len(self._waiting)

    def _admit(self) -> None:
        while self._free and self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            try:
                turn.admit()
            except RuntimeError:
                continue
            self._free -= 1
            self._admitted += 1
