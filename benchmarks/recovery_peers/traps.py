"""Situations in which recovery goes wrong, each as one function of a library.

Outcomes are what happened, told by what reached the guarded function: no trap looks inside a
library. Waits are short, and what comes out does not depend on how fast the machine is.
"""

import asyncio
import datetime
import gc
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any, Final, NamedTuple
from unittest import mock

import httpx

from recovery_peers.peer import LIMIT, Guard, Make, Peer
from recovery_peers.row import Boom

MARGIN: Final = 0.1
HANG: Final = 30.0
REJECTIONS: Final = 100_000


class Outcome(NamedTuple):
    """What became of a library in a trap."""

    good: bool
    text: str


class Service:
    """A dependency that counts its calls, and fails when told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.calls = 0
        self.error = error
        self.hold: Callable[[], Awaitable[object]] | None = None
        self._lock = threading.Lock()

    def call(self) -> int:
        with self._lock:
            self.calls += 1
        if self.error is not None:
            raise self.error
        return 1

    async def acall(self) -> int:
        hold, error = self.hold, self.error
        self.calls += 1
        if hold is not None:
            await hold()
        if error is not None:
            raise error
        return 1


async def _attempt(guarded: Callable[[], Awaitable[object]]) -> None:
    with suppress(Exception):
        await guarded()


async def _fail(service: Service, guarded: Any, times: int) -> None:
    service.error = Boom()
    for _ in range(times):
        await _attempt(guarded)


async def _cancelled(service: Service, guarded: Any) -> None:
    """Make one call and cancel it while it runs."""
    service.hold = lambda: asyncio.sleep(HANG)
    task = asyncio.ensure_future(guarded())
    await asyncio.sleep(0.005)
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
    service.hold = None


async def _let_in(service: Service, guarded: Any) -> bool:
    """Whether a call that would succeed reaches the service now."""
    before, service.error = service.calls, None
    await _attempt(guarded)
    return service.calls > before


async def half_open_tasks(peer: Peer, make: Make) -> Outcome:
    """100 tasks meet a half-open circuit: one probe."""
    service = Service()
    guarded = make()(service.acall)
    await _fail(service, guarded, 3)
    await asyncio.sleep(peer.reset + MARGIN)
    service.calls, service.hold = 0, lambda: asyncio.sleep(0.02)
    await asyncio.gather(*(_attempt(guarded) for _ in range(100)))
    return Outcome(service.calls == 1, _counted(service.calls, "probe"))


async def half_open_threads(peer: Peer, make: Make) -> Outcome:
    """50 threads meet a half-open circuit: one probe."""
    service = Service(Boom())
    together = threading.Barrier(50)

    def slow() -> int:
        try:
            return service.call()
        finally:
            time.sleep(0.05)

    guarded = make()(slow)

    def run() -> None:
        together.wait()
        with suppress(Exception):
            guarded()

    for _ in range(3):
        with suppress(Exception):
            guarded()
    await asyncio.sleep(peer.reset + MARGIN)
    service.calls = 0
    _join([threading.Thread(target=run) for _ in range(50)])
    return Outcome(service.calls == 1, _counted(service.calls, "probe"))


async def late_result(peer: Peer, make: Make) -> Outcome:
    """A call of before the break fails after it: it says nothing about now."""
    service = Service(Boom())
    guarded = make()(service.acall)
    released = asyncio.Event()
    service.hold = released.wait
    old = asyncio.ensure_future(_attempt(guarded))
    await asyncio.sleep(0)
    service.hold = None
    await _fail(service, guarded, 2)
    await asyncio.sleep(peer.reset + MARGIN)
    if not await _let_in(service, guarded):
        return Outcome(good=False, text="never closed")
    released.set()
    await old
    await _fail(service, guarded, 1)
    ignored = await _let_in(service, guarded)
    return Outcome(ignored, "ignored" if ignored else "counted")


async def hung_probe(peer: Peer, make: Make) -> Outcome:
    """A probe that never returns gives its slot back."""
    service = Service()
    guarded = make()(service.acall)
    await _fail(service, guarded, 2)
    await asyncio.sleep(peer.reset + MARGIN)
    service.hold = lambda: asyncio.sleep(HANG)
    probe = asyncio.ensure_future(guarded())
    await asyncio.sleep(1.0)
    service.hold = None
    freed = await _let_in(service, guarded)
    probe.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await probe
    return Outcome(freed, "freed" if freed else "rejects for ever")


async def cancelled_calls(_: Peer, make: Make) -> Outcome:
    """A cancelled call is neither a failure nor a success."""
    service = Service()
    guarded = make()(service.acall)
    for _round in range(3):
        await _cancelled(service, guarded)
    if not await _let_in(service, guarded):
        return Outcome(good=False, text="a failure")
    guarded = make()(service.acall)
    await _fail(service, guarded, 1)
    service.error = None
    await _cancelled(service, guarded)
    await _fail(service, guarded, 1)
    reset = await _let_in(service, guarded)
    return Outcome(not reset, "a success" if reset else "neither")


async def interrupts(_: Peer, make: Make) -> Outcome:
    """Neither is a KeyboardInterrupt."""
    service = Service(KeyboardInterrupt())
    guarded = make()(service.call)
    for _round in range(3):
        with suppress(KeyboardInterrupt, Exception):
            guarded()
    before, service.error = service.calls, None
    with suppress(Exception):
        guarded()
    closed = service.calls > before
    return Outcome(closed, "neither" if closed else "a failure")


async def lock_during_call(_: Peer, make: Make) -> Outcome:
    """Ten threads call at once: no lock is held during a call."""
    together = threading.Barrier(10)

    def meet() -> None:
        together.wait(timeout=1.0)

    guarded = make()(meet)
    met: list[bool] = []

    def run() -> None:
        with suppress(Exception):
            guarded()
            met.append(True)

    _join([threading.Thread(target=run) for _ in range(10)])
    return Outcome(len(met) == 10, "at once" if len(met) == 10 else "one by one")


async def wall_clock(peer: Peer, make: Make) -> Outcome:
    """The wall clock is set back an hour while the circuit is open: it probes on time."""
    service = Service(Boom())
    guarded = make()(service.call)
    for _ in range(3):
        with suppress(Exception):
            guarded()
    await asyncio.sleep(peer.reset + MARGIN)
    before, service.error = service.calls, None
    with _an_hour_earlier(peer.package), suppress(Exception):
        guarded()
    on_time = service.calls > before
    return Outcome(on_time, "on time" if on_time else "stays open")


async def half_the_calls_fail(_: Peer, make: Make) -> Outcome:
    """Every other call of 1,000 fails: a rate breaker opens."""
    service = Service()
    guarded = make()(service.call)
    for number in range(1000):
        service.error = Boom() if number % 2 else None
        with suppress(Exception):
            guarded()
    rejected = 1000 - service.calls
    return Outcome(rejected > 0, f"{rejected} rejected")


async def many_rejections(_: Peer, make: Make) -> Outcome:
    """100,000 rejections: neither tracebacks nor memory grow."""
    service = Service(Boom())
    guarded = make()(service.call)
    for _round in range(3):
        with suppress(Exception):
            guarded()
    gc.collect()
    objects, deepest = len(gc.get_objects()), 0
    for number in range(REJECTIONS):
        try:
            guarded()
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            deepest = max(deepest, sum(1 for _frame in traceback.walk_tb(error.__traceback__)))
            if deepest > 1000:
                return Outcome(good=False, text=f"{deepest:,} frames at {number:,}")
    gc.collect()
    if (grown := len(gc.get_objects()) - objects) > 1000:
        return Outcome(good=False, text=f"{grown:,} objects more")
    return Outcome(good=True, text=f"{deepest} frames")


async def nested(_: Peer, make: Make) -> Outcome:
    """Three retries of three attempts in each other: three calls."""
    service = Service(Boom())
    guard = make()
    await _attempt(guard(guard(guard(service.acall))))
    return Outcome(service.calls == 3, _counted(service.calls, "call"))


async def storm(_: Peer, make: Make) -> Outcome:
    """200 callers with three attempts each, everything fails: at most 240 calls."""
    service = Service(Boom())
    guarded = make()(service.acall)
    await asyncio.gather(*(_attempt(guarded) for _ in range(200)))
    return Outcome(service.calls <= 240, _counted(service.calls, "call"))


async def deadline(_: Peer, make: Make) -> Outcome:
    """0.3 s for everything, and one attempt takes a second: back by 0.32 s."""
    service = Service(Boom())
    service.hold = lambda: asyncio.sleep(1.0)
    guarded = make()(service.acall)
    begun = time.monotonic()
    await _attempt(guarded)
    took = time.monotonic() - begun
    return Outcome(took < LIMIT + 0.02, f"{took:.2f} s")


async def bug(_: Peer, make: Make) -> Outcome:
    """A TypeError, with the defaults: one call."""
    service = Service(TypeError("a bug"))
    await _attempt(make()(service.acall))
    return Outcome(service.calls == 1, _counted(service.calls, "call"))


async def groups(_: Peer, make: Make) -> Outcome:
    """Two errors in a group, with the defaults: retried if both may pass, not with a bug."""
    calls = []
    for second in (ConnectionResetError(), TypeError("a bug")):
        service = Service(ExceptionGroup("both", [ConnectionResetError(), second]))
        await _attempt(make()(service.acall))
        calls.append(service.calls)
    return Outcome(calls == [3, 1], f"{calls[0]} and {calls[1]} calls")


async def retry_after(_: Peer, make: Make) -> Outcome:
    """A 429 whose Retry-After is one second, with the defaults: waited for."""
    request = httpx.Request("POST", "https://api.example/v1")
    response = httpx.Response(429, headers={"retry-after": "1"}, request=request)
    error = httpx.HTTPStatusError("slow down", request=request, response=response)
    times: list[float] = []

    async def limited() -> int:
        times.append(time.monotonic())
        if len(times) == 1:
            raise error
        return 1

    await _attempt(make()(limited))
    if len(times) < 2:
        return Outcome(good=False, text="not retried")
    waited = times[1] - times[0]
    return Outcome(waited >= 1.0, f"waited {waited:.2f} s")


async def cancelled_attempt(_: Peer, make: Make) -> Outcome:
    """A call that retries every exception is cancelled: it ends."""
    service = Service()
    service.hold = lambda: asyncio.sleep(HANG)
    task = asyncio.ensure_future(make()(service.acall)())
    await asyncio.sleep(0.01)
    task.cancel()
    done, _pending = await asyncio.wait({task}, timeout=1.0)
    ended = bool(done) and task.cancelled()
    if not done:
        task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
    return Outcome(ended, "ends" if ended else "goes on")


async def history(_: Peer, make: Make) -> Outcome:
    """After three attempts the error that is raised shows all of them."""
    calls = 0

    async def failing() -> None:
        nonlocal calls
        calls += 1
        raise Boom(f"attempt {calls} of the service")

    try:
        await make()(failing)()
    except Exception as error:  # noqa: BLE001 - whatever a library raises
        text = "".join(traceback.format_exception(error))
        seen = [number for number in (1, 2, 3) if f"attempt {number} of the service" in text]
        return Outcome(len(seen) == 3, f"{len(seen)} of 3")
    return Outcome(good=False, text="no error")


Trap = Callable[[Peer, Make], Awaitable[Outcome]]

TRAPS: Final[tuple[tuple[Trap, str], ...]] = (
    (half_open_tasks, "breaker"),
    (half_open_threads, "thread_breaker"),
    (late_result, "breaker"),
    (hung_probe, "breaker"),
    (cancelled_calls, "breaker"),
    (interrupts, "thread_breaker"),
    (lock_during_call, "thread_breaker"),
    (wall_clock, "thread_breaker"),
    (half_the_calls_fail, "rate_breaker"),
    (many_rejections, "thread_breaker"),
    (nested, "retry"),
    (storm, "budgeted_retry"),
    (deadline, "deadline"),
    (bug, "plain_retry"),
    (groups, "plain_retry"),
    (retry_after, "plain_retry"),
    (cancelled_attempt, "retry"),
    (history, "retry"),
)
"""Every trap, and what it asks of a library."""


async def spring(trap: Trap, needs: str, peer: Peer) -> Outcome | None:
    """Run one trap; None where the library has no such thing."""
    make: Make | None = getattr(peer, needs)
    return None if make is None else await trap(peer, make)


@contextmanager
def _an_hour_earlier(package: str) -> Iterator[None]:
    """Set back every wall clock that the modules of a package can read."""
    real, hour = time.time, datetime.timedelta(hours=1)

    def earlier() -> float:
        return real() - 3600

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return datetime.datetime.now(tz) - hour

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - hour

    replaced: dict[object, object] = {datetime.datetime: Earlier, real: earlier}
    with ExitStack() as patches:
        patches.enter_context(mock.patch("time.time", earlier))
        for module in _modules(package):
            for name, value in _bound_to(module, replaced):
                patches.enter_context(mock.patch.object(module, name, replaced[value]))
        yield


def _modules(package: str) -> list[ModuleType]:
    return [one for name, one in sys.modules.items() if name.split(".")[0] == package]


def _bound_to(module: ModuleType, values: Mapping[object, object]) -> list[tuple[str, object]]:
    """Find the names in a module that are bound to one of ``values``."""
    return [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, Hashable) and value in values
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


__all__ = ["TRAPS", "Guard", "Outcome", "Trap", "spring"]
