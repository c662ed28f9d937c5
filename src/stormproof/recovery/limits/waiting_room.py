"""How a call waits for a place, and what it is told when it gets none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stormproof.errors import CapacityExceeded, DeadlineExceeded
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import CallRejected, CallWaited, DeadlinePassed, bus
from stormproof.recovery.limits.bells import Bell, TaskBell, ThreadBell
from stormproof.recovery.limits.places import Places
from stormproof.recovery.limits.priority import Priority
from stormproof.recovery.limits.turns import Turn, TurnState


class WaitingRoom:
    """Where calls wait that found no place free, or are turned away.

    A wait lasts as long as the deadline in force allows. It ends with a place, or raises and
    leaves none behind.

    Args:
        name: What events and errors call it.
        places: What is waited for.
    """

    def __init__(self, name: str, places: Places) -> None:
        self._name: Final = name
        self._places: Final = places

    def wait(self, pipeline: str, priority: Priority) -> None:
        """Block the thread until it has a place.

        Raises:
            CapacityExceeded: The queue is full of calls no less important, or became so.
            DeadlineExceeded: The time is over.
        """
        bell = ThreadBell()
        with self._in_queue(pipeline, priority, bell):
            bell.wait(remaining())

    async def await_(self, pipeline: str, priority: Priority) -> None:
        """Suspend the task until it has a place; otherwise as ``wait``."""
        bell = TaskBell()
        with self._in_queue(pipeline, priority, bell):
            await bell.wait(remaining())

    def rejection(self, pipeline: str) -> CapacityExceeded:
        """Return the error for a call that is turned away, and publish that it is."""
        wait = self._places.drains_in()
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self._name, retry_after=wait))
        room = self._places.limit + self._places.queue
        return CapacityExceeded(resource=self._name, limit=room, retry_after=wait)

    @contextmanager
    def _in_queue(self, pipeline: str, priority: Priority, bell: Bell) -> Iterator[None]:
        """Join the queue, and leave it with a place or with an error."""
        turn = Turn(priority, bell)
        if not self._places.join(turn):
            raise self.rejection(pipeline)
        begun = current_clock().now()
        try:
            yield
        except BaseException:
            if self._places.withdraw(turn) is TurnState.ADMITTED:
                self._places.leave()
            raise
        match self._places.withdraw(turn):
            case TurnState.SHED:
                raise self.rejection(pipeline)
            case TurnState.WAITING:
                raise self._late(pipeline)
        if bus.listeners:
            wait = current_clock().now() - begun
            bus.publish(CallWaited(pipeline=pipeline, strategy=self._name, wait=wait))

    def _late(self, pipeline: str) -> DeadlineExceeded:
        if bus.listeners:
            bus.publish(DeadlinePassed(pipeline=pipeline, strategy=self._name, timeout=None))
        return DeadlineExceeded(operation=pipeline, timeout=None)
