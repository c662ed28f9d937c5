"""So many calls at once as the dependency can bear, which shows in how it answers.

A bulkhead's limit is a guess, and the truth changes: with the model, the prompts, the neighbours,
the number of replicas. This limit follows the latency (Netflix's concurrency-limits, 2018), and
chooses by priority who gets in. It belongs to its strategy: pipelines that share an
``AdaptiveLimit`` share it, so make one for each dependency.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.events import LimitChanged, bus
from stormproof.recovery.limits.elastic_places import ElasticPlaces, Resized
from stormproof.recovery.limits.limit_algorithms import Gradient, LimitAlgorithm
from stormproof.recovery.limits.overload import says_overload
from stormproof.recovery.limits.priority import Priority, current_priority
from stormproof.recovery.limits.waiting_room import WaitingRoom
from stormproof.recovery.options import check_count
from stormproof.recovery.strategy import Call, Site, Strategy

_KEPT_FREE: Final = 4
"""Without a queue, one place in so many is not for calls of low priority."""


@dataclass(frozen=True, eq=False)
class AdaptiveLimit(Strategy):
    """Lets as many calls in at once as the dependency can bear, the most important ones first.

    The latency of a call is counted from when it is let in to when it returns, that of a stream
    to its first item, since how long the whole takes depends on the answer. An error that says
    overload (a rate limit, no capacity, service unavailable, a deadline passed ...) is a drop;
    any other error, and a cancelled call, say nothing.

    Those who wait are let in by ``current_priority()``, then first come, first served. When the
    queue is full the last of the least important is turned away for a more important newcomer.
    Without a queue there is nobody to choose from, so calls of low priority leave a quarter of the
    limit to the others. When the limit falls, the calls inside go on. A stream keeps its place
    until it ends or is closed.

    Args:
        name: What is protected.
        algorithm: How the limit follows from the calls: ``Gradient`` or ``AIMD``.
        initial: The limit to begin with; from ``minimum`` to ``maximum``.
        minimum: It never gets lower than this; 1 to 1,000,000.
        maximum: Nor higher than this; up to 1,000,000.
        queue: How many may wait; 0 to 1,000,000. With 0 nothing ever waits.

    Raises:
        CapacityExceeded: At the guarded call, when it is turned away. Its ``retry_after`` is the
            time in which the queue empties at its present pace, as far as that is known.
        DeadlineExceeded: At the guarded call, when its time is over before its turn comes.
    """

    name: str
    algorithm: LimitAlgorithm = field(default_factory=Gradient)
    initial: int = 20
    minimum: int = 1
    maximum: int = 200
    queue: int = 0
    _places: ElasticPlaces = field(init=False, repr=False)
    _room: WaitingRoom = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is protected", "missing")
        fine = isinstance(self.algorithm, LimitAlgorithm)
        problems.check(fine, "algorithm", "must be Gradient or AIMD", "algorithm")
        check_count(problems, "initial", self.initial)
        check_count(problems, "minimum", self.minimum)
        check_count(problems, "maximum", self.maximum)
        check_count(problems, "queue", self.queue, least=0)
        problems.raise_if_any("the adaptive limit is not valid")
        fine = self.minimum <= self.initial <= self.maximum
        problems.check(fine, "initial", "must be from minimum to maximum", "count")
        problems.raise_if_any("the adaptive limit is not valid")
        # The two that are not options: the instance is frozen, its places come and go.
        estimate = self.algorithm.estimate(self.initial, self.minimum, self.maximum)
        vars(self)["_places"] = places = ElasticPlaces(self.initial, self.queue, estimate)
        vars(self)["_room"] = WaitingRoom(self.name, places)

    def __str__(self) -> str:
        limits = f"{self.minimum} to {self.maximum} at once, {self.queue} waiting"
        return f"AdaptiveLimit {self.name} {limits}, {self.algorithm}"

    @property
    def limit(self) -> int:
        """How many calls at once there may be now."""
        return self._places.limit

    @property
    def running(self) -> int:
        """How many calls are inside now; more than the limit for a while after it fell."""
        return self._places.taken

    @property
    def waiting(self) -> int:
        """How many calls wait now."""
        return self._places.waiting

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        places, announce, pipeline = self._places, self._announce, site.pipeline
        enter, learn_and_leave = self._entrance(pipeline), self._places.learn_and_leave
        wait = self._room.wait

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                wait(pipeline, current_priority())
            running, began = places.taken, current_clock().now()
            try:
                result = call(*args, **kwargs)
            except BaseException as error:
                self._failed(error, began, running, pipeline)
                raise
            resized = learn_and_leave(began, running)
            if resized:
                announce(resized, pipeline)
            return result

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        places, announce, pipeline = self._places, self._announce, site.pipeline
        enter, learn_and_leave = self._entrance(pipeline), self._places.learn_and_leave
        wait = self._room.await_

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if not enter():
                await wait(pipeline, current_priority())
            running, began = places.taken, current_clock().now()
            try:
                result = await call(*args, **kwargs)
            except BaseException as error:
                self._failed(error, began, running, pipeline)
                raise
            resized = learn_and_leave(began, running)
            if resized:
                announce(resized, pipeline)
            return result

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator, from its first item to its end."""
        places, announce, pipeline = self._places, self._announce, site.pipeline
        enter, wait = self._entrance(pipeline), self._room.await_

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            if not enter():
                await wait(pipeline, current_priority())
            running, began = places.taken, current_clock().now()
            delivered = False
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        if not delivered:
                            delivered = True
                            announce(places.learn(began, running), pipeline)
                        yield item
            except BaseException as error:
                self._failed(error, began, running, pipeline)
                raise
            places.leave()

        return guarded

    def _entrance(self, pipeline: str) -> Callable[[], bool]:
        """Return the function that takes a place if there is one for the caller."""
        if self.queue:
            return self._places.enter
        places, low = self._places, Priority.LOW

        def enter_at_once() -> bool:
            spare = places.limit // _KEPT_FREE if current_priority() is low else 0
            if places.enter(spare):
                return True
            raise self._room.rejection(pipeline)

        return enter_at_once

    def _failed(self, error: BaseException, began: float, running: int, pipeline: str) -> None:
        dropped = False
        try:
            dropped = isinstance(error, Exception) and says_overload(error)
        finally:  # whatever becomes of the error, the place is free
            if dropped:
                self._announce(self._places.learn_and_leave(began, running, True), pipeline)
            else:
                self._places.leave()

    def _announce(self, resized: Resized | None, pipeline: str) -> None:
        if resized and bus.listeners:
            limit, before = resized
            bus.publish(
                LimitChanged(pipeline=pipeline, strategy=self.name, limit=limit, before=before)
            )
