"""A number of places, and those who wait for one: the most important first, then the first come.

A place that is given back goes straight to the first in the queue: a newcomer cannot slip in
between. Threads and tasks, of whatever event loop, wait in one queue.
"""

from collections import OrderedDict
from threading import RLock
from typing import Final

from stormproof.recovery.clock import current_clock
from stormproof.recovery.limits.priority import Priority
from stormproof.recovery.limits.turns import Turn, TurnState


class Places:
    """A fair semaphore with a bounded queue; safe between threads and event loops.

    Args:
        limit: How many places there are.
        queue: How many may wait for one.

    Attributes:
        limit: How many places there are now; ``resize`` sets it.
        queue: How many may wait for one.
        taken: How many are taken; more than there are, for a while after there were more.
        waiting: How many wait.
    """

    def __init__(self, limit: int, queue: int) -> None:
        self.limit = limit
        self.queue: Final = queue
        self.taken = 0
        self.waiting = 0
        # Reentrant, because the garbage collector may close a pending coroutine, and so give a
        # place back, at any point of this thread.
        self._lock: Final = RLock()
        self._lines: Final = tuple(OrderedDict[Turn, None]() for _ in Priority)
        self._busy_since = 0.0
        self._admitted = 0

    def enter(self, spare: int = 0) -> bool:
        """Take a place if one is free, and ``spare`` more; never while somebody waits."""
        with self._lock:
            if self.taken + spare >= self.limit:
                return False
            self.taken += 1
            return True

    def join(self, turn: Turn) -> bool:
        """Let ``turn`` wait for a place; return whether the queue had room for it.

        If it is full, the last and least important who waits makes room for one more important.
        """
        with self._lock:
            if not self.waiting:
                self._busy_since = current_clock().now()
                self._admitted = 0
            full = self.taken >= self.limit and self.waiting >= self.queue
            if full and not self._shed_for(turn.priority):
                return False
            self._lines[turn.priority][turn] = None
            self.waiting += 1
            self._admit()
            return True

    def withdraw(self, turn: Turn) -> TurnState:
        """Let ``turn`` wait no longer; return how its wait ended, ``WAITING`` if in vain."""
        with self._lock:
            line = self._lines[turn.priority]
            if turn in line:
                del line[turn]
                self.waiting -= 1
            return turn.state

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1
            if self.waiting:
                self._admit()

    def resize(self, limit: int) -> None:
        """Have so many places; where there were more, those who have one keep it."""
        with self._lock:
            self.limit = limit
            self._admit()

    def drains_in(self) -> float | None:
        """Return the seconds until the queue is empty at its present pace, None if unknown."""
        with self._lock:
            if not self._admitted:
                return None
            took = current_clock().now() - self._busy_since
            return took / self._admitted * self.waiting

    def _admit(self) -> None:
        while self.waiting and self.taken < self.limit:
            self.taken += 1  # before the turn is looked for: see the lock
            first = self._pop_first()
            if first and first.end(TurnState.ADMITTED):
                self._admitted += 1
            else:
                self.taken -= 1

    def _pop_first(self) -> Turn | None:
        """Take the first of the most important out of the queue."""
        for line in reversed(self._lines):
            if line:
                self.waiting -= 1
                return line.popitem(last=False)[0]
        return None

    def _shed_for(self, priority: Priority) -> bool:
        """Turn away the last of the least important, if it is less important than ``priority``."""
        for line in self._lines[:priority]:
            if line:
                self.waiting -= 1
                line.popitem()[0].end(TurnState.SHED)
                return True
        return False
