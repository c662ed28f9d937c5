"""So many calls at once and no more, so that one slow dependency cannot take everything down.

The pattern is that of Nygard, "Release It!" (2007). Places belong to their bulkhead: pipelines
that share a bulkhead share them, so make one bulkhead for each dependency.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import CapacityExceeded, DeadlineExceeded, Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import CallRejected, CallWaited, DeadlinePassed, bus
from stormproof.recovery.options import check_count
from stormproof.recovery.places import Places, TaskTurn, ThreadTurn, Turn
from stormproof.recovery.strategy import Call, Site, Strategy


@dataclass(frozen=True, eq=False)
class Bulkhead(Strategy):
    """Lets so many calls in at once; some more wait for their turn, the others are turned away.

    First come, first served, threads and tasks alike. A call waits as long as the deadline in
    force allows; one that is cancelled gives its place back. A stream keeps its place until it
    ends or is closed.

    Args:
        name: What is protected.
        limit: How many calls at once; 1 to 1,000,000.
        queue: How many may wait; 0 to 1,000,000. With 0 nothing ever waits.

    Raises:
        CapacityExceeded: At the guarded call, when the queue is full. Its ``retry_after`` is the
            time in which the queue empties at its present pace, as far as that is known.
        DeadlineExceeded: At the guarded call, when its time is over before its turn comes.
    """

    name: str
    limit: int
    queue: int = 0
    _places: Places = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is protected", "missing")
        check_count(problems, "limit", self.limit)
        check_count(problems, "queue", self.queue, least=0)
        problems.raise_if_any("the bulkhead is not valid")
        # Not an option: the instance is frozen, its places come and go.
        vars(self)["_places"] = Places(self.limit, self.queue)

    def __str__(self) -> str:
        return f"Bulkhead {self.name} {self.limit} at once, {self.queue} waiting"

    @property
    def running(self) -> int:
        """How many calls are inside now."""
        return self._places.taken

    @property
    def waiting(self) -> int:
        """How many calls wait now."""
        return self._places.waiting

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        enter, leave, pipeline = self._places.enter, self._places.leave, site.pipeline

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                turn = ThreadTurn()
                with self._in_queue(turn, pipeline):
                    turn.wait(remaining())
            try:
                return call(*args, **kwargs)
            finally:
                leave()

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        enter, leave, pipeline = self._places.enter, self._places.leave, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                await self._wait(pipeline)
            try:
                return await call(*args, **kwargs)
            finally:
                leave()

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator, from its first item to its end."""
        enter, leave, pipeline = self._places.enter, self._places.leave, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            if not enter():
                await self._wait(pipeline)
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
            finally:
                leave()

        return guarded

    async def _wait(self, pipeline: str) -> None:
        turn = TaskTurn()
        with self._in_queue(turn, pipeline):
            await turn.wait(remaining())

    @contextmanager
    def _in_queue(self, turn: Turn, pipeline: str) -> Iterator[None]:
        """Join the queue, and leave it with a place or with an error."""
        if not self._places.join(turn):
            raise self._reject(pipeline)
        begun = current_clock().now()
        try:
            yield
        except BaseException:
            if self._places.withdraw(turn):
                self._places.leave()
            raise
        if not self._places.withdraw(turn):
            raise self._late(pipeline)
        if bus.listeners:
            wait = current_clock().now() - begun
            bus.publish(CallWaited(pipeline=pipeline, strategy=self.name, wait=wait))

    def _reject(self, pipeline: str) -> CapacityExceeded:
        wait = self._places.drains_in()
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self.name, retry_after=wait))
        room = self.limit + self.queue
        return CapacityExceeded(resource=self.name, limit=room, retry_after=wait)

    def _late(self, pipeline: str) -> DeadlineExceeded:
        if bus.listeners:
            bus.publish(DeadlinePassed(pipeline=pipeline, strategy=self.name, timeout=None))
        return DeadlineExceeded(operation=pipeline, timeout=None)
