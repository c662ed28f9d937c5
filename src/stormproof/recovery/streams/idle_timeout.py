"""Cutting a stream from which nothing comes any more."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from stormproof.errors import Problems, StreamStalled
from stormproof.recovery.clock import Timer, current_clock
from stormproof.recovery.cut import Cut
from stormproof.recovery.events import IdleTimeoutPassed, bus
from stormproof.recovery.options import check_seconds
from stormproof.recovery.retries.attempts import hand_on
from stormproof.recovery.strategy import Call, Site, Strategy

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True)
class IdleTimeout(Strategy):
    """Gives a stream so many seconds for each item.

    Only the time that the consumer waits counts, not that which it takes between two items. Calls
    and coroutines pass through: a ``Deadline`` is for those.

    Args:
        seconds: The longest wait for an item, up to a day.
        first: The longest wait for the first item; by default as long as for the others.
        name: What events call it.

    Raises:
        StreamStalled: At the consumer, when nothing came for so long.
    """

    seconds: float
    first: float | None = None
    name: str = "idle-timeout"

    def __post_init__(self) -> None:
        problems = Problems()
        check_seconds(problems, "seconds", self.seconds)
        if self.first is not None:
            check_seconds(problems, "first", self.first)
        problems.raise_if_any("the idle timeout is not valid")

    def __str__(self) -> str:
        first = "" if self.first is None else f", first {self.first:g}s"
        return f"IdleTimeout {self.seconds:g}s{first}"

    def guard_call(self, call: Call, site: Site) -> Call:  # noqa: ARG002 - it has no items
        """Guard a sync function: it has no items to wait for."""
        return call

    def guard_coroutine(self, call: Call, site: Site) -> Call:  # noqa: ARG002
        """Guard a function that returns an awaitable: it has no items to wait for."""
        return call

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        from asyncio import CancelledError, current_task, get_running_loop  # noqa: PLC0415 - heavy

        seconds, first = self.seconds, self.seconds if self.first is None else self.first

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            loop = get_running_loop()  # asked for once: it costs as much as all the rest
            watch = _Watch(loop)
            allowed = first
            async with aclosing(call(*args, **kwargs)) as items:
                advance = aiter(items).__anext__
                try:
                    while True:
                        watch.begin(current_task(loop), allowed)
                        try:
                            item = await advance()
                        except StopAsyncIteration:
                            return
                        except CancelledError as error:
                            if watch.withdraw():
                                raise hand_on(error, self._stalled(site, allowed)) from error
                            raise
                        watch.due = inf
                        if watch.fired:  # and the source went on all the same
                            watch.withdraw()
                            watch.fired = False
                        allowed = seconds
                        yield item
                finally:
                    watch.close()

        return guarded

    def _stalled(self, site: Site, seconds: float) -> StreamStalled:
        if bus.listeners:
            bus.publish(
                IdleTimeoutPassed(pipeline=site.pipeline, strategy=self.name, seconds=seconds)
            )
        return StreamStalled(seconds=seconds)


class _Watch(Cut):
    """Cuts one wait at a time when it has lasted too long.

    One timer serves many waits: it looks, when it fires, how long the wait in progress has still
    to go, and is set anew for that. A stream whose items come quickly needs no other.

    Attributes:
        due: When the wait in progress is over; infinite between two waits.
    """

    __slots__ = ("_clock", "_fires_at", "_loop", "_now", "_timer", "due")

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        super().__init__(None)
        self._clock = current_clock()
        self._now = self._clock.now
        self._loop = loop
        self._timer: Timer | None = None
        self.due = self._fires_at = inf

    def begin(self, task: "asyncio.Task[Any] | None", seconds: float) -> None:
        """Begin a wait of ``task`` that may last so long."""
        self.watch(task)
        self.due = due = self._now() + seconds
        if due < self._fires_at:
            self._set_timer(seconds)

    def close(self) -> None:
        """Cut no more."""
        self.withdraw()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = self._now() + seconds
        self._timer = self._clock.call_later(self._loop, seconds, self._look)

    def _look(self) -> None:
        self._fires_at = inf
        left = self.due - self._now()
        if left <= 0:
            self()
        elif left < inf:
            self._set_timer(left)
