"""The one seam for time, randomness and waiting.

Every strategy asks ``current_clock()``; nothing else in this floor reads a clock, sleeps, sets a
timer or draws a random number. The clock is held in a context variable, so a test that brings its
own replaces it for itself and for nothing else in the process.
"""

import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from threading import Event


class Timer(Protocol):
    """A call that is due later and can be called off."""

    def cancel(self) -> None:
        """Call it off; harmless once it has happened."""


class Clock(Protocol):
    """What the strategies need to know of time and chance."""

    def now(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""

    def random(self) -> float:
        """Return a number drawn evenly from [0, 1)."""

    def sleep(self, seconds: float, /) -> None:
        """Block the thread."""

    async def asleep(self, seconds: float, /) -> None:
        """Suspend the task."""

    def wait(self, event: "Event", seconds: float | None, /) -> None:
        """Block the thread until ``event`` is set, or for so many seconds; None: until it is."""

    def wait_for_thread(self, event: "Event", until: float | None, /) -> None:
        """Block until a thread that is at work has set ``event``, or until ``now`` is so much."""

    def call_later(
        self, loop: "AbstractEventLoop", seconds: float, callback: Callable[[], object], /
    ) -> Timer:
        """Have ``loop`` call ``callback`` after so many seconds."""


class SystemClock:
    """The machine's monotonic clock: setting the wall clock changes nothing."""

    now = staticmethod(time.monotonic)
    random = staticmethod(random.random)
    sleep = staticmethod(time.sleep)

    async def asleep(self, seconds: float, /) -> None:
        """Suspend the task."""
        import asyncio  # noqa: PLC0415 - whoever awaits this has it already

        await asyncio.sleep(seconds)

    @staticmethod
    def wait(event: "Event", seconds: float | None, /) -> None:
        """Block the thread until ``event`` is set, or for so many seconds; None: until it is."""
        event.wait(seconds)

    @staticmethod
    def wait_for_thread(event: "Event", until: float | None, /) -> None:
        """Block until a thread that is at work has set ``event``, or until ``now`` is so much."""
        event.wait(None if until is None else until - time.monotonic())

    @staticmethod
    def call_later(
        loop: "AbstractEventLoop", seconds: float, callback: Callable[[], object], /
    ) -> Timer:
        """Have ``loop`` call ``callback`` after so many seconds."""
        return loop.call_later(seconds, callback)


_clock: Final[ContextVar[Clock]] = ContextVar(
    "stormproof.clock",
    default=SystemClock(),  # noqa: B039 - it has no state
)

current_clock: Final[Callable[[], Clock]] = _clock.get
"""Return the clock in force in this context."""

set_clock = _clock.set
"""Put another clock in force in this context; ``reset_clock`` takes the token it returns."""

reset_clock = _clock.reset
