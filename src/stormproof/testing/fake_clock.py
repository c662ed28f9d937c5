"""A clock that stands still until somebody waits for it.

Waiting costs no time. A thread that sleeps moves the clock on by itself; when every task of an
event loop waits, the clock jumps to the first moment that one of them waits for. (The idea is
that of trio's autojumping mock clock.)
"""

import heapq
import random as chance
import time
from asyncio import AbstractEventLoop, Future, _get_running_loop, get_running_loop
from collections.abc import Callable
from functools import partial
from itertools import count
from threading import Event, Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from stormproof.recovery.clock import Clock, reset_clock, set_clock

if TYPE_CHECKING:
    from contextvars import Token

# Seconds of real time in which a thread that works, and does not wait, shows signs of life.
_PATIENCE: Final = 1.0


class FakeClock:
    """Time and chance in the hands of a test.

    ```python
    with FakeClock(random=lambda: 1.0) as clock:
        with pytest.raises(NetworkError):
            pipeline.call(fetch)
    assert clock.slept == [0.1, 0.2]
    ```

    It is in force inside the ``with`` block, in this context: also in the tasks started there, and
    in threads that run in a copy of the context (``contextvars.copy_context().run``).

    Args:
        random: Where jitter comes from; by default a generator with a fixed seed. With
            ``lambda: 1.0`` every wait is the longest there can be.
        jumps: Whether the clock moves on by itself when all tasks of a loop wait. It does not see
            what waits for something real, such as a socket or a thread: with those, switch it
            off and ``advance`` by hand.

    Attributes:
        slept: The seconds of each wait so far, in order.
    """

    def __init__(self, *, random: Callable[[], float] | None = None, jumps: bool = True) -> None:
        # From the real time on, so that what was timed before the test is not in its future.
        self._now = time.monotonic()
        self._random: Final = random or chance.Random(0).random  # noqa: S311 - jitter, not a key
        self._jumps: Final = jumps
        self._lock: Final = Lock()
        self._serial: Final = count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._watched: set[AbstractEventLoop] = set()
        self._tokens: list[Token[Clock]] = []
        self.slept: list[float] = []

    def __enter__(self) -> Self:
        self._tokens.append(set_clock(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        reset_clock(self._tokens.pop())

    def now(self) -> float:
        """Return the time, in seconds."""
        return self._now

    def random(self) -> float:
        """Return a number from [0, 1)."""
        return self._random()

    def sleep(self, seconds: float, /) -> None:
        """Move on by so many seconds, at once."""
        self.slept.append(seconds)
        self.advance(seconds)

    async def asleep(self, seconds: float, /) -> None:
        """Suspend the task until the clock has moved on by so many seconds."""
        self.slept.append(seconds)
        loop = get_running_loop()
        over: Future[None] = loop.create_future()
        timer = self.call_later(loop, seconds, partial(_finish, over))
        try:
            await over
        finally:
            timer.cancel()

    def wait(self, event: Event, seconds: float | None, /) -> None:
        """Block the thread until ``event`` is set or the clock has moved on by so many seconds.

        A clock that jumps moves on by itself, unless the event is set already.
        """
        if seconds is None:
            event.wait()
        elif not self._jumps:
            self.wait_for_thread(event, self._now + seconds)
        elif not event.is_set():
            self.advance(seconds)

    def wait_for_thread(self, event: Event, until: float | None, /) -> None:
        """Block until a thread that works has set ``event``, or until the clock shows ``until``.

        The clock does not jump: the thread moves it on when it sleeps. But a thread that does
        nothing for a second of real time waits for something real, and a clock that jumps goes on.
        """
        if until is None:
            event.wait()
            return
        with self._lock:
            if until <= self._now:
                return
            timer = _FakeTimer(None, event.set)
            heapq.heappush(self._timers, (until, next(self._serial), timer))
        if not event.wait(_PATIENCE if self._jumps else None):
            self.advance(until - self._now)
        timer.cancel()

    def call_later(
        self, loop: AbstractEventLoop, seconds: float, callback: Callable[[], object], /
    ) -> "_FakeTimer":
        """Have ``loop`` call ``callback`` when the clock has moved on by so many seconds."""
        if self._jumps:
            _ready(loop)  # where it cannot be asked, say so here: in a callback nobody would hear
        timer = _FakeTimer(loop, callback)
        with self._lock:
            heapq.heappush(self._timers, (self._now + seconds, next(self._serial), timer))
        if self._jumps and loop not in self._watched:
            self._watched.add(loop)
            loop.call_soon(self._jump_when_idle, loop)
        return timer

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds; what is due by then happens, in order."""
        until = self._now + seconds
        while (timer := self._next_due(until)) is not None:
            timer.fire()

    def _next_due(self, until: float) -> "_FakeTimer | None":
        """Move on to the first timer that is due by then; None when there, and none is left."""
        with self._lock:
            if not self._timers or self._timers[0][0] > until:
                self._now = max(self._now, until)
                return None
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            return timer

    def _jump_when_idle(self, loop: AbstractEventLoop) -> None:
        with self._lock:
            while self._timers and self._timers[0][2].cancelled:
                heapq.heappop(self._timers)
            waits = [due for due, _, timer in self._timers if timer.waits_in(loop)]
            if not waits:
                self._watched.discard(loop)
                return
        if not _ready(loop):
            self.advance(min(waits) - self._now)
        loop.call_soon(self._jump_when_idle, loop)


class _FakeTimer:
    """A call that is due when a fake clock says so."""

    __slots__ = ("_callback", "_loop")

    def __init__(self, loop: AbstractEventLoop | None, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._callback: Callable[[], object] | None = callback

    @property
    def cancelled(self) -> bool:
        return self._callback is None

    def waits_in(self, loop: AbstractEventLoop) -> bool:
        return self._callback is not None and self._loop is loop

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is None or (self._loop and self._loop.is_closed()):
            return
        if self._loop is None or _get_running_loop() is self._loop:
            callback()
        else:  # a thread moved the clock on
            self._loop.call_soon_threadsafe(callback)


def _finish(waiting: "Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _ready(loop: AbstractEventLoop) -> bool:
    """Whether ``loop`` has something to run before it would have to wait, but for other clocks."""
    # No public way to ask; the attribute has been there as long as asyncio.
    queue: Any = getattr(loop, "_ready", None)
    if queue is None:
        raise RuntimeError("the clock cannot see when this event loop is idle: use jumps=False")
    watch = FakeClock._jump_when_idle
    return any(getattr(one._callback, "__func__", None) is not watch for one in tuple(queue))
