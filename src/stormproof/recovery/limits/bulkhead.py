"""So many calls at once and no more, so that one slow dependency cannot take everything down.

The pattern is that of Nygard, "Release It!" (2007). Places belong to their bulkhead: pipelines
that share a bulkhead share them, so make one bulkhead for each dependency.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import Problems
from stormproof.recovery.limits.places import Places
from stormproof.recovery.limits.priority import Priority
from stormproof.recovery.limits.waiting_room import WaitingRoom
from stormproof.recovery.options import check_count
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
    _room: WaitingRoom = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is protected", "missing")
        check_count(problems, "limit", self.limit)
        check_count(problems, "queue", self.queue, least=0)
        problems.raise_if_any("the bulkhead is not valid")
        # The two that are not options: the instance is frozen, its places come and go.
        vars(self)["_places"] = places = Places(self.limit, self.queue)
        vars(self)["_room"] = WaitingRoom(self.name, places)

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
        wait = self._room.wait

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                wait(pipeline, Priority.NORMAL)
            try:
                return call(*args, **kwargs)
            finally:
                leave()

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        enter, leave, pipeline = self._places.enter, self._places.leave, site.pipeline
        wait = self._room.await_

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                await wait(pipeline, Priority.NORMAL)
            try:
                return await call(*args, **kwargs)
            finally:
                leave()

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator, from its first item to its end."""
        enter, leave, pipeline = self._places.enter, self._places.leave, site.pipeline
        wait = self._room.await_

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            if not enter():
                await wait(pipeline, Priority.NORMAL)
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
            finally:
                leave()

        return guarded
