"""As many calls at once as the dependency can bear, the most important ones first."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest

from stormproof.errors import (
    CapacityExceeded,
    CircuitOpen,
    DeadlineExceeded,
    InvalidRequest,
    NetworkError,
    OutOfBlocks,
    PartialOutput,
    ProviderOverloaded,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    AIMD,
    AdaptiveLimit,
    CallRejected,
    CallWaited,
    Deadline,
    DeadlinePassed,
    Event,
    Gradient,
    LimitChanged,
    Pipeline,
    Priority,
    prioritized,
)
from stormproof.recovery.clock import current_clock
from stormproof.testing import FakeClock, Scripted, Takes

STRICT = AIMD(latency=1.0, increase=1.0, backoff=0.5)


class Server:
    """Answers in 0.2 s while it has no more to do than it can, and then shares itself."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.inside = 0
        self.served: Counter[Priority] = Counter()
        self.refused: Counter[Priority] = Counter()

    async def answer(self, seconds: float = 0.2) -> None:
        self.inside += 1
        try:
            await current_clock().asleep(seconds * max(1.0, self.inside / self.capacity))
        finally:
            self.inside -= 1

    async def load(self, ask: Callable[[], Any], priority: Priority, seconds: float) -> None:
        """Be one client who asks again and again, after a pause when it was turned away."""
        until = current_clock().now() + seconds
        with prioritized(priority):
            while current_clock().now() < until:
                try:
                    await ask()
                    self.served[priority] += 1
                except CapacityExceeded:
                    self.refused[priority] += 1
                    await current_clock().asleep(0.1)


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def hold(limit: AdaptiveLimit) -> tuple[asyncio.Event, "asyncio.Task[Any]"]:
    """Have one call inside until the event is set."""
    free = asyncio.Event()
    return free, asyncio.create_task(Pipeline(limit).acall(free.wait))


@pytest.mark.parametrize("algorithm", [Gradient(), AIMD(latency=0.3)], ids=str)
async def test_it_finds_the_capacity_of_a_server_and_follows_it(
    clock: FakeClock, algorithm: Any
) -> None:
    limit, server = AdaptiveLimit("gpu", algorithm=algorithm, queue=100), Server(capacity=20)
    ask = Pipeline(limit)(server.answer)
    clients = [asyncio.create_task(server.load(ask, Priority.NORMAL, 180)) for _ in range(80)]
    await clock.asleep(59)
    healthy = limit.limit
    assert 16 <= healthy <= 44
    server.capacity = 5
    await clock.asleep(60)
    assert limit.limit < healthy * 0.7
    server.capacity = 20
    await clock.asleep(59)
    assert limit.limit > healthy * 0.7
    await asyncio.gather(*clients)
    assert (limit.running, limit.waiting) == (0, 0)


@pytest.mark.parametrize(("queue", "important"), [(10, 9), (0, 3)])
async def test_overload_sheds_the_least_important_first(
    clock: FakeClock, queue: int, important: int
) -> None:
    """Clients of two kinds, of which the server can bear the one and a part of the other."""
    limit = AdaptiveLimit("gpu", initial=12, minimum=12, maximum=12, queue=queue)
    server = Server(capacity=12)
    ask = Pipeline(limit)(server.answer)
    await asyncio.gather(
        *(server.load(ask, Priority.LOW, 20) for _ in range(20)),
        *(server.load(ask, Priority.HIGH, 20) for _ in range(important)),
    )
    assert server.refused[Priority.HIGH] == 0
    assert server.served[Priority.HIGH] >= important * 45
    assert server.refused[Priority.LOW] > server.served[Priority.LOW] > 0


async def test_without_a_queue_low_calls_leave_a_quarter_free(clock: FakeClock) -> None:
    limit, server = AdaptiveLimit("gpu", initial=8), Server(capacity=8)
    ask = Pipeline(limit)(server.answer)
    with prioritized(Priority.LOW):
        low = [asyncio.create_task(ask()) for _ in range(8)]
    await settle()
    assert limit.running == 6
    normal = [asyncio.create_task(ask()) for _ in range(3)]
    await settle()
    assert limit.running == 8
    ends = await asyncio.gather(*low, *normal, return_exceptions=True)
    assert [type(end) for end in ends] == [
        *[type(None)] * 6,
        *[CapacityExceeded] * 2,
        *[type(None)] * 2,
        CapacityExceeded,
    ]


def test_a_small_limit_keeps_nothing_free() -> None:
    with prioritized(Priority.LOW):
        assert Pipeline(AdaptiveLimit("gpu", initial=1)).call(Scripted("answer")) == "answer"


async def test_the_most_important_goes_in_first_and_then_the_first_come(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", initial=1, maximum=1, queue=10)
    free, held = hold(limit)
    await settle()
    order: list[str] = []

    async def enter(name: str) -> None:
        order.append(name)

    waiting = []
    for name in ("low 1", "high 1", "normal 1", "critical 1", "high 2", "low 2"):
        with prioritized(Priority[name.split()[0].upper()]):
            waiting.append(asyncio.create_task(Pipeline(limit).acall(enter, name)))
    await settle()
    assert limit.waiting == 6
    free.set()
    await asyncio.gather(held, *waiting)
    assert order == ["critical 1", "high 1", "high 2", "normal 1", "low 1", "low 2"]


async def test_a_full_queue_turns_its_least_important_away_for_a_newcomer(
    clock: FakeClock, heard: list[Event]
) -> None:
    limit = AdaptiveLimit("gpu", initial=1, queue=2)
    free, held = hold(limit)
    await settle()
    ask = Pipeline(limit, name="ask")(Scripted(*["answer"] * 9).acall)

    def come(priority: Priority) -> "asyncio.Task[Any]":
        with prioritized(priority):
            return asyncio.create_task(ask())

    first, second = come(Priority.LOW), come(Priority.LOW)
    await settle()
    refused = come(Priority.LOW)
    high = come(Priority.HIGH)
    await settle()
    for one in (refused, second):
        with pytest.raises(CapacityExceeded) as raised:
            await one
        assert (raised.value.resource, raised.value.limit) == ("gpu", 3)
    rejected = CallRejected(pipeline="ask", strategy="gpu", retry_after=None)
    assert heard == [rejected] * 2
    free.set()
    assert [await first, await high] == ["answer"] * 2
    await held


async def test_when_the_limit_falls_those_inside_go_on(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=8, queue=10)
    server = Server(capacity=100)
    ask = Pipeline(limit)(server.answer)
    held = [asyncio.create_task(ask(5.0)) for _ in range(7)]
    await settle()
    await ask(2.0)
    assert (limit.limit, limit.running) == (4, 7)
    waiting = asyncio.create_task(ask(0.1))
    await settle()
    assert limit.waiting == 1
    await asyncio.gather(*held)
    await waiting


async def test_when_the_limit_grows_those_who_wait_go_in(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", algorithm=AIMD(latency=1.0, increase=100), initial=2, queue=9)
    server = Server(capacity=100)
    ask = Pipeline(limit)(server.answer)
    calls = [asyncio.create_task(ask(0.5)) for _ in range(2)]
    await settle()
    calls += [asyncio.create_task(ask(5.0)) for _ in range(9)]
    await clock.asleep(0.6)
    assert (limit.running, limit.waiting) == (9, 0)
    await asyncio.gather(*calls)


def run(limit: AdaptiveLimit, *outcomes: Any) -> int:
    """Make one call for each of these outcomes; return the limit after them."""
    guarded = Pipeline(limit, name="ask")(Scripted(*outcomes))
    for _ in outcomes:
        with suppress(Exception, KeyboardInterrupt, asyncio.CancelledError):
            guarded()
    return limit.limit


@pytest.mark.parametrize(
    "error",
    [
        RateLimitExceeded(),
        CapacityExceeded(resource="gpu", limit=1),
        OutOfBlocks(needed=2, free=1),
        ServiceUnavailable(reason="overloaded"),
        ProviderOverloaded(provider="openai"),
        DeadlineExceeded(operation="ask", timeout=1.0),
        TimeoutError(),
        MemoryError(),
        ExceptionGroup("both", [NetworkError(reason="cut"), RateLimitExceeded()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_says_overload_lowers_the_limit(clock: FakeClock, error: Exception) -> None:
    assert run(AdaptiveLimit("gpu", algorithm=STRICT, initial=8), error) == 4


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest(reason="empty"),
        NetworkError(reason="cut"),
        CircuitOpen(circuit="openai"),
        ValueError("wrong"),
        StopIteration(),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_end_says_nothing_about_the_limit(clock: FakeClock, error: BaseException) -> None:
    """Neither that it is too high, however long it took, nor that it is not."""
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=2)
    assert run(limit, *[Takes(9, error)] * 9, *[error] * 9) == 2
    assert limit.running == 0


def test_a_limit_that_changes_is_an_event_and_one_that_hardly_does_is_none(
    clock: FakeClock, heard: list[Event]
) -> None:
    limit = AdaptiveLimit("gpu", algorithm=AIMD(latency=1.0, increase=2), initial=2)
    assert run(limit, "answer", "answer", Takes(2, "answer")) == 2
    assert heard == [
        LimitChanged(pipeline="ask", strategy="gpu", limit=3, before=2),
        LimitChanged(pipeline="ask", strategy="gpu", limit=2, before=3),
    ]


async def test_a_stream_counts_by_its_first_item_and_keeps_its_place(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=8)
    quick = Scripted([Takes(0.5, "a"), Takes(60, "b")], [Takes(2, "a"), "b"])
    guarded = Pipeline(limit)(quick.stream)
    assert [item async for item in guarded()] == ["a", "b"]
    assert limit.limit == 8
    slow = guarded()
    assert await anext(slow) == "a"
    assert (limit.limit, limit.running) == (4, 1)
    assert [item async for item in slow] == ["b"]
    assert limit.running == 0


async def test_a_stream_that_is_closed_or_breaks_gives_its_place_back(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=8)
    source = Scripted(
        ["a", "b"], ["a", NetworkError(reason="cut")], ["a", OutOfBlocks(needed=2, free=1)]
    )
    guarded = Pipeline(limit)(source.stream)
    async with aclosing(guarded()) as items:
        assert await anext(items) == "a"
    assert (limit.limit, limit.running) == (8, 0)
    for limit_after in (8, 4):
        with pytest.raises(StormproofError):
            [item async for item in guarded()]
        assert (limit.limit, limit.running) == (limit_after, 0)


async def test_a_wait_ends_with_the_deadline(clock: FakeClock, heard: list[Event]) -> None:
    limit = AdaptiveLimit("gpu", initial=1, queue=1)
    free, held = hold(limit)
    await settle()
    begun = clock.now()
    ask = Pipeline(limit, name="ask")(Scripted("answer").acall)
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(2)).acall(ask)
    assert clock.now() - begun == pytest.approx(2)
    assert (limit.running, limit.waiting) == (1, 0)
    free.set()
    await held
    assert any(isinstance(event, DeadlinePassed) for event in heard)


async def test_a_caller_who_is_cancelled_leaves_the_queue(clock: FakeClock) -> None:
    limit = AdaptiveLimit("gpu", initial=1, queue=5)
    free, held = hold(limit)
    ask = Pipeline(limit)(Scripted("answer").acall)
    waiting = asyncio.create_task(ask())
    await settle()
    assert limit.waiting == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limit.waiting == 0
    free.set()
    await held
    assert limit.running == 0


async def test_the_wait_for_a_place_is_no_latency(clock: FakeClock, heard: list[Event]) -> None:
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=1, queue=9)
    ask = Pipeline(limit)(Server(capacity=9).answer)
    await asyncio.gather(*(ask(0.9) for _ in range(5)))
    assert limit.limit > 1
    assert any(isinstance(event, CallWaited) and event.wait > 1 for event in heard)


async def test_what_broke_a_stream_counts_and_not_how_it_is_reported(clock: FakeClock) -> None:
    """A pipeline inside makes a ``PartialOutput`` of it."""
    limit = AdaptiveLimit("gpu", algorithm=STRICT, initial=8)
    source = Scripted(["a", OutOfBlocks(needed=2, free=1)])
    items = Pipeline(limit).stream(Pipeline(Deadline(9))(source.stream))
    with pytest.raises(PartialOutput):
        [item async for item in items]
    assert limit.limit == 4


def test_a_thread_that_waits_is_turned_away_for_a_more_important_one() -> None:
    limit = AdaptiveLimit("gpu", initial=1, queue=1)
    release = threading.Event()
    ends: list[str] = []

    def ask(name: str) -> None:
        with prioritized(Priority[name]):
            try:
                Pipeline(limit).call(release.wait)
            except CapacityExceeded:
                name += " turned away"
        ends.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("LOW", "LOW", "HIGH")]
    for thread, waiting in zip(threads, (0, 1, 1), strict=True):
        thread.start()
        while (limit.running, limit.waiting) != (1, waiting):
            pass
    threads[1].join()
    release.set()
    for thread in threads:
        thread.join()
    assert ends[0] == "LOW turned away"
    assert sorted(ends[1:]) == ["HIGH", "LOW"]


def test_of_20_threads_never_more_than_the_maximum_are_inside() -> None:
    """Real threads, each again and again, with a limit that moves all the time."""
    limit = AdaptiveLimit(
        "gpu", algorithm=AIMD(latency=60, backoff=0.5), initial=2, maximum=4, queue=20
    )
    lock, inside, most, done = threading.Lock(), [0], [0], [0]

    def work() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        with lock:
            inside[0] -= 1
            done[0] += 1
            drop = done[0] % 10 == 0
        if drop:
            raise ServiceUnavailable(reason="overloaded")

    guarded = Pipeline(limit)(work)

    def repeat() -> None:
        for _ in range(50):
            with suppress(ServiceUnavailable):
                guarded()

    threads = [threading.Thread(target=repeat) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done[0] == 1000
    assert 1 <= most[0] <= 4
    assert (limit.running, limit.waiting) == (0, 0)


def test_it_prints_in_one_line() -> None:
    assert str(AdaptiveLimit("gpu", queue=16)) == (
        "AdaptiveLimit gpu 1 to 200 at once, 16 waiting, gradient, tolerance 1.5"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "gpu", "algorithm": AIMD},
        {"name": "gpu", "initial": 0},
        {"name": "gpu", "initial": 300},
        {"name": "gpu", "minimum": 30},
        {"name": "gpu", "minimum": "1"},
        {"name": "gpu", "maximum": 10},
        {"name": "gpu", "queue": -1},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationErrors):
        AdaptiveLimit(**options)
