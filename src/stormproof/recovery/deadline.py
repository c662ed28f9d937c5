"""One point in time by which everything inside must be over.

The deadline in force is a context variable: waits, attempts and nested deadlines inherit it, and
none can outlast it. Between processes it travels as the milliseconds that are left, since the
clocks of two machines do not agree (as gRPC does, "gRPC over HTTP2", grpc-timeout).

A coroutine is cut when the time is over, by one timer. A sync function cannot be cut: it can ask
``remaining()``, no attempt or wait begins that could not end in time, and a result that arrives
late is still a result. Only where it runs on a thread of its own can its caller leave it behind.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, ClassVar, Final, Self

from stormproof.errors import DeadlineExceeded, Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.cut import Cut
from stormproof.recovery.events import DeadlinePassed, bus
from stormproof.recovery.options import LONGEST, check_seconds
from stormproof.recovery.retries.attempts import hand_on
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.threads import WorkerThreads

_MOST_DIGITS: Final = 12

_expiry: Final[ContextVar[float | None]] = ContextVar("stormproof.deadline", default=None)

expiry: Final = _expiry.get
"""Return when the deadline in force is over, on the clock in force; None without one."""


def remaining() -> float | None:
    """Return the seconds left before the deadline in force, 0 once it is over, None without one."""
    expiry = _expiry.get()
    return None if expiry is None else max(expiry - current_clock().now(), 0.0)


def lift_deadline() -> None:
    """Have no deadline in force from here on in this context: that of work in the background."""
    _expiry.set(None)


@dataclass(frozen=True)
class Deadline(Strategy):
    """Gives a call, and all that happens inside it, so many seconds.

    Args:
        seconds: The time allowed, 0 to a day. Inside another deadline the lesser holds.
        name: What events call it.
        threads: Where sync functions run, so that their callers need not wait for them any longer
            than that; by default on the caller's own thread, to their end. Coroutines and streams
            need none.

    Raises:
        DeadlineExceeded: At the guarded call, when the time is over.
        CapacityExceeded: At the guarded call, when there are ``threads`` and all are taken.
    """

    HEADER: ClassVar[str] = "x-deadline-ms"
    """The HTTP header that carries a deadline: whole milliseconds that are left."""

    seconds: float
    name: str = "deadline"
    threads: WorkerThreads | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        problems = Problems()
        check_seconds(problems, "seconds", self.seconds, positive=False)
        fine = self.threads is None or isinstance(self.threads, WorkerThreads)
        problems.check(fine, "threads", "must be WorkerThreads", "threads")
        problems.raise_if_any("the deadline is not valid")

    def __str__(self) -> str:
        where = f" on {self.threads}" if self.threads else ""
        return f"Deadline {self.seconds:g}s{where}"

    @staticmethod
    def to_header() -> str | None:
        """Return the value of ``HEADER`` for an outgoing call, None without a deadline.

        Rounded down: the callee must not think it has more time than its caller.
        """
        left = remaining()
        return None if left is None else str(int(left * 1000))

    @classmethod
    def from_header(cls, value: str | None) -> Self | None:
        """Return the deadline that an incoming call brought, None if it brought none.

        Args:
            value: The header as received. What is not a plain whole number is as good as absent;
                more than a day is cut to a day.
        """
        if value is None or not (value.isascii() and value.isdigit()):
            return None
        return cls(min(int(value[:_MOST_DIGITS]) / 1000, LONGEST))

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        if self.threads is not None:
            return self._guard_on(self.threads, call, site.pipeline)
        begin, pipeline, seconds = self._begin, site.pipeline, self.seconds

        def guarded(*args: Any, **kwargs: Any) -> Any:
            token: Token[float | None] | None
            if seconds and _expiry.get() is None:  # spares the common case a call
                token = _expiry.set(current_clock().now() + seconds)
            else:
                token = begin(pipeline)
            if token is None:
                return call(*args, **kwargs)
            try:
                return call(*args, **kwargs)
            finally:
                _expiry.reset(token)

        return guarded

    def _guard_on(self, threads: WorkerThreads, call: Call, pipeline: str) -> Call:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            token = self._begin(pipeline)
            try:
                until = expiry()
                begun = threads.start(partial(call, *args, **kwargs), Event(), pipeline)
                try:
                    current_clock().wait_for_thread(begun.ended, until)
                finally:
                    threads.leave(begun)
                if begun.ended_by(until):
                    return begun.result()
                raise self._exceeded(pipeline, None if token is None else self.seconds)
            finally:
                if token is not None:
                    _expiry.reset(token)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        from asyncio import CancelledError, current_task, get_running_loop  # noqa: PLC0415 - heavy

        begin, exceeded, seconds = self._begin, self._exceeded, self.seconds
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            token = begin(pipeline)
            if token is None:
                return await call(*args, **kwargs)
            cut = Cut(current_task())
            timer = current_clock().call_later(get_running_loop(), seconds, cut)
            try:
                return await call(*args, **kwargs)
            except CancelledError as error:
                if cut.withdraw():
                    raise hand_on(error, exceeded(pipeline, seconds)) from error
                raise
            finally:
                timer.cancel()
                cut.withdraw()
                _expiry.reset(token)

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator, from its first item to its end."""
        from asyncio import CancelledError, current_task, get_running_loop  # noqa: PLC0415 - heavy

        begin, exceeded, seconds = self._begin, self._exceeded, self.seconds
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            token = begin(pipeline)
            if token is None:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
                return
            expiry = _expiry.get()
            # The body of a generator runs in its consumer's context: between two items the
            # deadline must not be in force there.
            _expiry.reset(token)
            async with aclosing(call(*args, **kwargs)) as items:
                loop = get_running_loop()  # asked for once: it costs as much as an item
                cut = Cut(None)
                timer = current_clock().call_later(loop, seconds, cut)
                advance = aiter(items).__anext__
                try:
                    while not cut.fired:
                        token = _expiry.set(expiry)
                        cut.watch(current_task(loop))
                        try:
                            item = await advance()
                        except StopAsyncIteration:
                            return
                        except CancelledError as error:
                            if cut.withdraw():
                                raise hand_on(error, exceeded(pipeline, seconds)) from error
                            raise
                        finally:
                            cut.withdraw()
                            _expiry.reset(token)
                        yield item
                    raise exceeded(pipeline, seconds)
                finally:
                    timer.cancel()

        return guarded

    def _begin(self, pipeline: str) -> Token[float | None] | None:
        """Put the deadline in force, or return None where an outer one ends no later."""
        now = current_clock().now()
        expiry = now + self.seconds
        outer = _expiry.get()
        if outer is not None and outer <= expiry:
            if outer <= now:
                raise self._exceeded(pipeline, None)
            return None
        if expiry <= now:
            raise self._exceeded(pipeline, self.seconds)
        return _expiry.set(expiry)

    def _exceeded(self, pipeline: str, timeout: float | None) -> DeadlineExceeded:
        if bus.listeners:
            bus.publish(DeadlinePassed(pipeline=pipeline, strategy=self.name, timeout=timeout))
        return DeadlineExceeded(operation=pipeline, timeout=timeout)
