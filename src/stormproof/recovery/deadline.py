"""One point in time by which everything inside must be over.

The deadline in force is a context variable: waits, attempts and nested deadlines inherit it, and
none can outlast it. Between processes it travels as the milliseconds that are left, since the
clocks of two machines do not agree (as gRPC does, "gRPC over HTTP2", grpc-timeout).

A coroutine is cut when the time is over, by one timer for each task. A sync function cannot be
cut: it can ask ``remaining()``, no attempt or wait begins that could not end in time, and a result
that arrives late is still a result. Only where it runs on a thread of its own can its caller leave
it behind.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from stormproof.errors import DeadlineExceeded, Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.cut import Cut
from stormproof.recovery.events import DeadlinePassed, bus
from stormproof.recovery.options import LONGEST, check_seconds
from stormproof.recovery.retries.attempts import hand_on
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.threads import WorkerThreads

if TYPE_CHECKING:
    from stormproof.recovery.cut import CurrentTask

_MOST_DIGITS: Final = 12

# When it is over, and what then cuts the task that brought it in force.
_Limit: TypeAlias = tuple[float, Cut | None]

_in_force: Final[ContextVar[_Limit | None]] = ContextVar("stormproof.deadline", default=None)


def expiry() -> float | None:
    """Return when the deadline in force is over, on the clock in force; None without one."""
    limit = _in_force.get()
    return None if limit is None else limit[0]


def remaining() -> float | None:
    """Return the seconds left before the deadline in force, 0 once it is over, None without one."""
    limit = _in_force.get()
    return None if limit is None else max(limit[0] - current_clock().now(), 0.0)


def lift_deadline() -> None:
    """Have no deadline in force from here on in this context: that of work in the background."""
    _in_force.set(None)


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
            token: Token[_Limit | None] | None
            if seconds and _in_force.get() is None:  # spares the common case a call
                token = _in_force.set((current_clock().now() + seconds, None))
            else:
                token = begin(pipeline)
            if token is None:
                return call(*args, **kwargs)
            try:
                return call(*args, **kwargs)
            finally:
                _in_force.reset(token)

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
                    _in_force.reset(token)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        from asyncio import CancelledError, current_task, get_running_loop  # noqa: PLC0415 - heavy

        begin, exceeded, seconds = self._begin, self._exceeded, self.seconds
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if _is_cut_sooner(current_task, seconds):
                return await call(*args, **kwargs)
            loop = get_running_loop()
            cut = Cut(current_task(loop))
            timeout: float | None = seconds
            token = begin(pipeline, cut)
            if token is None:
                token, timeout = _adopt(cut), None
            allowed = seconds if timeout is not None else remaining() or 0.0
            timer = current_clock().call_later(loop, allowed, cut)
            try:
                return await call(*args, **kwargs)
            except CancelledError as error:
                if cut.withdraw():
                    raise hand_on(error, exceeded(pipeline, timeout)) from error
                raise
            finally:
                timer.cancel()
                cut.withdraw()
                _in_force.reset(token)

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:  # noqa: C901 - one loop
        """Guard a function that returns an async generator, from its first item to its end."""
        from asyncio import CancelledError, current_task, get_running_loop  # noqa: PLC0415 - heavy

        begin, exceeded, seconds = self._begin, self._exceeded, self.seconds
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            if _is_cut_sooner(current_task, seconds):
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
                return
            loop = get_running_loop()  # asked for once: it costs as much as an item
            cut = Cut(current_task(loop))
            timeout: float | None = seconds
            token = begin(pipeline, cut)
            if token is None:
                token, timeout = _adopt(cut), None
            allowed = seconds if timeout is not None else remaining() or 0.0
            limit = _in_force.get()
            # The body of a generator runs in its consumer's context: between two items the
            # deadline must not be in force there.
            _in_force.reset(token)
            cut.watch(None)
            async with aclosing(call(*args, **kwargs)) as items:
                timer = current_clock().call_later(loop, allowed, cut)
                advance = aiter(items).__anext__
                try:
                    while not cut.fired:
                        token = _in_force.set(limit)
                        cut.watch(current_task(loop))
                        try:
                            item = await advance()
                        except StopAsyncIteration:
                            return
                        except CancelledError as error:
                            if cut.withdraw():
                                raise hand_on(error, exceeded(pipeline, timeout)) from error
                            raise
                        finally:
                            cut.withdraw()
                            _in_force.reset(token)
                        yield item
                    raise exceeded(pipeline, timeout)
                finally:
                    timer.cancel()

        return guarded

    def _begin(self, pipeline: str, cut: Cut | None = None) -> Token[_Limit | None] | None:
        """Put the deadline in force, or return None where an outer one ends no later."""
        now = current_clock().now()
        expiry = now + self.seconds
        outer = _in_force.get()
        if outer is not None and outer[0] <= expiry:
            if outer[0] <= now:
                raise self._exceeded(pipeline, None)
            return None
        if expiry <= now:
            raise self._exceeded(pipeline, self.seconds)
        return _in_force.set((expiry, cut))

    def _exceeded(self, pipeline: str, timeout: float | None) -> DeadlineExceeded:
        if bus.listeners:
            bus.publish(DeadlinePassed(pipeline=pipeline, strategy=self.name, timeout=timeout))
        return DeadlineExceeded(operation=pipeline, timeout=timeout)


def _is_cut_sooner(current_task: "CurrentTask", seconds: float) -> bool:
    """Whether the deadline in force ends within so many seconds, and cuts this very task.

    It cuts no task where it is that of a sync function, and another where that began this one.
    """
    limit = _in_force.get()
    if limit is None or limit[1] is None:
        return False
    now = current_clock().now()
    return now < limit[0] <= now + seconds and limit[1].is_here(current_task)


def _adopt(cut: Cut) -> Token[_Limit | None]:
    """Have ``cut`` keep the deadline in force."""
    until = expiry()
    return _in_force.set(None if until is None else (until, cut))
