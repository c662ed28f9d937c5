"""One point in time by which everything inside must be over."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from threading import Event
from typing import Any

import pytest

from stormproof import recovery
from stormproof.errors import (
    CapacityExceeded,
    DeadlineExceeded,
    NetworkError,
    PartialOutput,
    ValidationErrors,
)
from stormproof.recovery import (
    Deadline,
    DeadlinePassed,
    Pipeline,
    Retry,
    ThreadFreed,
    ThreadPinned,
    WorkerThreads,
    remaining,
)
from stormproof.recovery.clock import SystemClock, reset_clock, set_clock
from stormproof.testing import FakeClock, Scripted, Takes


async def test_a_running_attempt_is_cut(clock: FakeClock) -> None:
    """A deadline of 0.3 s against one attempt of 1 s, with a retry between, ends at 0.3 s."""
    begun = clock.now()
    fetch = Scripted(Takes(1.0, "too late"))
    with pytest.raises(DeadlineExceeded) as raised:
        await Pipeline(Deadline(0.3), Retry(), name="ask").acall(fetch.acall)
    assert clock.now() - begun == pytest.approx(0.3)
    assert len(fetch.calls) == 1
    assert (raised.value.operation, raised.value.timeout) == ("ask", 0.3)
    assert isinstance(raised.value, TimeoutError)
    assert isinstance(raised.value.__cause__, asyncio.CancelledError)


async def test_a_wait_is_cut(clock: FakeClock) -> None:
    async def wait() -> None:
        await clock.asleep(60)

    begun = clock.now()
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(1)).acall(wait)
    assert clock.now() - begun == pytest.approx(1)


async def test_each_attempt_can_have_a_deadline_of_its_own(clock: FakeClock) -> None:
    fetch = Scripted(Takes(5, "late"), Takes(5, "late"), "answer")
    pipeline = Pipeline(Deadline(30), Retry(), Deadline(1))
    assert await pipeline.acall(fetch.acall) == "answer"


async def test_a_call_in_time_is_left_alone(clock: FakeClock) -> None:
    assert await Pipeline(Deadline(1)).acall(Scripted(Takes(0.9, "answer")).acall) == "answer"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("form", ["acall", "stream"])
async def test_a_call_in_time_leaves_no_timer_behind(form: str) -> None:
    called_off: list[bool] = []

    class Timer:
        def cancel(self) -> None:
            called_off.append(True)

    class Clock(SystemClock):
        def call_later(self, *_: object) -> Timer:  # type: ignore[override]
            return Timer()

    token = set_clock(Clock())
    pipeline = Pipeline(Deadline(1))
    if form == "acall":
        await pipeline.acall(Scripted("answer").acall)
    else:
        assert [item async for item in pipeline.stream(Scripted(["a"]).stream)] == ["a"]
    reset_clock(token)
    assert called_off == [True]


async def test_an_error_in_time_is_passed_on(clock: FakeClock) -> None:
    with pytest.raises(NetworkError):
        await Pipeline(Deadline(1)).acall(Scripted(NetworkError(reason="cut")).acall)


async def test_a_cancelled_task_is_cancelled_not_late(clock: FakeClock) -> None:
    """When somebody else asked too, the cancellation passes, whoever asked first."""
    task = asyncio.create_task(Pipeline(Deadline(1)).acall(Scripted(Takes(60)).acall))
    await asyncio.sleep(0)
    task.cancel()
    clock.advance(2)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_task_that_was_cut_can_go_on(clock: FakeClock) -> None:
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(1)).acall(Scripted(Takes(60)).acall)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_call_that_outlives_its_cut_keeps_its_result(clock: FakeClock) -> None:
    """Work that was done is not thrown away, and no cancellation is left behind."""

    async def stubborn() -> str:
        try:
            await clock.asleep(60)
        except asyncio.CancelledError:
            return "finished all the same"
        return "never"

    assert await Pipeline(Deadline(1)).acall(stubborn) == "finished all the same"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize(("outer", "inner"), [(0.3, 5), (5, 0.3)])
async def test_of_nested_deadlines_the_lesser_holds(
    clock: FakeClock, outer: float, inner: float
) -> None:
    begun = clock.now()
    nested = Pipeline(Deadline(inner))(Scripted(Takes(60)).acall)
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(outer)).acall(nested)
    assert clock.now() - begun == pytest.approx(0.3)


async def test_two_deadlines_that_end_together_make_one_error(clock: FakeClock) -> None:
    inner = Pipeline(Deadline(1))(Scripted(Takes(60)).acall)

    async def slow() -> None:
        clock.advance(0.5)
        await Pipeline(Deadline(0.5)).acall(inner)

    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(1)).acall(slow)


def test_a_sync_function_can_ask_what_is_left(clock: FakeClock) -> None:
    def work() -> float | None:
        clock.sleep(2)
        return remaining()

    assert Pipeline(Deadline(10)).call(work) == pytest.approx(8)
    assert remaining() is None


def test_what_is_left_is_never_less_than_nothing(clock: FakeClock) -> None:
    def work() -> float | None:
        clock.sleep(20)
        return remaining()

    assert Pipeline(Deadline(10)).call(work) == 0


def test_a_sync_result_that_comes_late_is_still_a_result(clock: FakeClock) -> None:
    assert Pipeline(Deadline(0.3)).call(Scripted(Takes(1.0, "late"))) == "late"


def test_nothing_begins_after_an_outer_deadline(
    clock: FakeClock, heard: list[recovery.Event]
) -> None:
    fetch = Scripted("answer")

    def slow() -> str:
        clock.sleep(2)
        return str(Pipeline(Deadline(10), name="inner").call(fetch))

    with pytest.raises(DeadlineExceeded) as raised:
        Pipeline(Deadline(1)).call(slow)
    assert fetch.calls == []
    assert raised.value.timeout is None
    assert heard == [DeadlinePassed(pipeline="inner", strategy="deadline", timeout=None)]


def test_a_deadline_of_zero_refuses_every_call() -> None:
    fetch = Scripted("answer")
    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(0)).call(fetch)
    assert fetch.calls == []


async def test_tasks_inherit_the_deadline(clock: FakeClock) -> None:
    async def child() -> float | None:
        return remaining()

    async def parent() -> float | None:
        return await asyncio.create_task(child())

    assert await Pipeline(Deadline(5)).acall(parent) == pytest.approx(5)


async def test_a_task_that_outlives_a_lesser_deadline_is_cut_by_its_own(clock: FakeClock) -> None:
    """The deadline in force cuts the task that began it, and no task that inherits it."""
    fetch = Pipeline(Deadline(60), name="ask")(Scripted(Takes(3600)).acall)

    async def begin() -> "asyncio.Task[Any]":
        return asyncio.create_task(fetch())

    begun = clock.now()
    task = await Pipeline(Deadline(1)).acall(begin)
    with pytest.raises(DeadlineExceeded) as raised:
        await task
    assert clock.now() - begun == pytest.approx(1)
    assert raised.value.timeout is None


@pytest.mark.parametrize("form", ["coroutine", "stream"])
def test_a_sync_deadline_cuts_the_guarded_coroutines_inside(clock: FakeClock, form: str) -> None:
    """That of a sync function sets no timer: who has a greater one inside sets it."""
    inner = Pipeline(Deadline(60), Deadline(90))
    source = Scripted(Takes(3600)) if form == "coroutine" else Scripted([Takes(3600)])

    async def ask() -> object:
        if form == "coroutine":
            return await inner.acall(source.acall)
        return [item async for item in inner.stream(source.stream)]

    begun = clock.now()
    with pytest.raises(DeadlineExceeded) as raised:
        Pipeline(Deadline(1)).call(lambda: asyncio.run(ask()))
    assert clock.now() - begun == pytest.approx(1)
    assert raised.value.timeout is None


async def test_a_stream_is_cut_while_its_source_is_silent(clock: FakeClock) -> None:
    source = Scripted([Takes(0.2, "a"), Takes(5, "b")])
    items = Pipeline(Deadline(1)).stream(source.stream)
    assert await anext(items) == "a"
    with pytest.raises(PartialOutput) as raised:
        await anext(items)
    assert isinstance(raised.value.__cause__, DeadlineExceeded)


async def test_a_stream_ends_by_its_deadline_though_its_consumer_is_slow(
    clock: FakeClock,
) -> None:
    items = Pipeline(Deadline(1)).stream(Scripted(["a", "b"]).stream)
    assert await anext(items) == "a"
    await clock.asleep(2)
    with pytest.raises(PartialOutput) as raised:
        await anext(items)
    assert isinstance(raised.value.__cause__, DeadlineExceeded)


async def test_the_consumer_of_a_stream_is_not_under_its_deadline(clock: FakeClock) -> None:
    """A generator runs in its consumer's context, and must leave that as it found it."""

    async def source() -> AsyncGenerator[float | None, None]:
        yield remaining()
        yield remaining()

    async with aclosing(Pipeline(Deadline(9)).stream(source)) as items:
        async for item in items:
            assert item is not None
            assert remaining() is None


async def test_a_stream_inside_a_lesser_deadline_is_cut_by_that(clock: FakeClock) -> None:
    async def consume() -> None:
        async for _ in Pipeline(Deadline(60)).stream(Scripted([Takes(30)]).stream):
            pass

    begun = clock.now()
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(1)).acall(consume)
    assert clock.now() - begun == pytest.approx(1)


def test_a_deadline_crosses_a_process_boundary(clock: FakeClock) -> None:
    """What goes out as a header comes in as a deadline, never longer than it was."""

    def outgoing() -> str | None:
        clock.sleep(0.5)
        return Deadline.to_header()

    header = Pipeline(Deadline(2)).call(outgoing)
    incoming = Deadline.from_header(header)
    assert incoming is not None
    assert 1.49 < incoming.seconds <= 1.5
    assert Deadline.to_header() is None


@pytest.mark.parametrize(
    "value", [None, "", "soon", "-1", "1.5", "٣", "1e3", " 5", "inf", "0x10"], ids=repr
)
def test_a_header_that_makes_no_sense_is_no_deadline(value: str | None) -> None:
    assert Deadline.from_header(value) is None


def test_a_header_is_bounded() -> None:
    assert Deadline.from_header("9" * 10_000) == Deadline(86_400)
    assert Deadline.from_header("0") == Deadline(0)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True, "1", 1e9], ids=repr)
def test_a_deadline_is_a_time(seconds: float) -> None:
    with pytest.raises(ValidationErrors):
        Deadline(seconds)


def hangs_at(clock: FakeClock, seconds: float, release: Event) -> None:
    """So much time passes, and then nothing happens until the end of the test."""
    clock.advance(seconds)
    assert release.wait(30)


@pytest.fixture
def release() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


@pytest.fixture
def heard() -> Iterator[list[recovery.Event]]:
    """Every event, but that a thread is free again: it may be one of an earlier test."""
    events: list[recovery.Event] = []
    unsubscribe = recovery.subscribe(
        lambda event: None if isinstance(event, ThreadFreed) else events.append(event)
    )
    yield events
    unsubscribe()


@pytest.fixture(params=[True, False], ids=["jumps", "by hand"])
def any_clock(request: pytest.FixtureRequest) -> Iterator[FakeClock]:
    with FakeClock(jumps=request.param) as fake:
        yield fake


def test_a_sync_call_on_threads_is_left_behind(
    any_clock: FakeClock, heard: list[recovery.Event], release: Event
) -> None:
    threads = WorkerThreads(2, name="drivers")
    begun = any_clock.now()
    pipeline = Pipeline(Deadline(0.3, threads=threads), name="ask")
    with pytest.raises(DeadlineExceeded) as raised:
        pipeline.call(hangs_at, any_clock, 0.3, release)
    assert any_clock.now() - begun == pytest.approx(0.3)
    assert (raised.value.operation, raised.value.timeout) == ("ask", 0.3)
    assert threads.pinned == 1
    assert heard == [
        ThreadPinned(pipeline="ask", strategy="drivers", pinned=1, limit=2),
        DeadlinePassed(pipeline="ask", strategy="deadline", timeout=0.3),
    ]
    freed = Event()
    unsubscribe = recovery.subscribe(lambda _: None if threads.pinned else freed.set())
    release.set()
    assert freed.wait(30)
    unsubscribe()
    assert threads.pinned == 0


def test_a_sync_call_on_threads_in_time_returns_and_raises(any_clock: FakeClock) -> None:
    pipeline = Pipeline(Deadline(1, threads=WorkerThreads(1)))
    assert pipeline.call(Scripted(Takes(0.9, "answer"))) == "answer"
    assert pipeline.call(lambda word: word * 2, word="an") == "anan"
    with pytest.raises(NetworkError):
        pipeline.call(Scripted(NetworkError(reason="cut")))
    with pytest.raises(TypeError, match="coroutine"):
        pipeline.call(Scripted("answer").acall)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("late", ["result", NetworkError(reason="cut")], ids=["result", "error"])
def test_on_threads_what_comes_late_is_too_late(
    any_clock: FakeClock, heard: list[recovery.Event], late: object
) -> None:
    """By the clock, and not by which thread happens to be faster."""
    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(0.3, threads=WorkerThreads(1))).call(Scripted(Takes(1.0, late)))
    assert DeadlinePassed(pipeline="pipeline", strategy="deadline", timeout=0.3) in heard


def test_a_clock_that_jumps_moves_on_when_a_thread_hangs(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, release: Event
) -> None:
    monkeypatch.setattr("stormproof.testing.fake_clock._PATIENCE", 0.01)
    begun = clock.now()
    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(5, threads=WorkerThreads(1))).call(release.wait)
    assert clock.now() - begun == pytest.approx(5)


def test_on_threads_an_outer_deadline_that_ends_sooner_holds(
    any_clock: FakeClock, release: Event
) -> None:
    inner = Pipeline(Deadline(60, threads=WorkerThreads(1)), name="inner")
    with pytest.raises(DeadlineExceeded) as raised:
        Pipeline(Deadline(1)).call(inner.call, hangs_at, any_clock, 1, release)
    assert (raised.value.operation, raised.value.timeout) == ("inner", None)


def test_a_call_on_threads_knows_what_is_left(any_clock: FakeClock) -> None:
    pipeline = Pipeline(Deadline(5, threads=WorkerThreads(1)))
    assert pipeline.call(remaining) == pytest.approx(5)
    assert remaining() is None


def test_when_all_threads_are_held_calls_are_turned_away(
    any_clock: FakeClock, release: Event
) -> None:
    pipeline = Pipeline(Deadline(1, threads=WorkerThreads(1, name="drivers")))
    with pytest.raises(DeadlineExceeded):
        pipeline.call(hangs_at, any_clock, 1, release)
    with pytest.raises(CapacityExceeded) as raised:
        pipeline.call(Scripted("answer"))
    assert (raised.value.resource, raised.value.limit) == ("drivers", 1)
    assert remaining() is None


def test_an_interrupt_leaves_the_call_behind(release: Event) -> None:
    class Interrupted(SystemClock):
        @staticmethod
        def wait_for_thread(*_: object) -> None:
            raise KeyboardInterrupt

    threads = WorkerThreads(1)
    token = set_clock(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        Pipeline(Deadline(60, threads=threads)).call(release.wait)
    reset_clock(token)
    assert (threads.pinned, remaining()) == (1, None)


async def test_coroutines_and_streams_need_no_threads(clock: FakeClock) -> None:
    threads = WorkerThreads(1)
    pipeline = Pipeline(Deadline(1, threads=threads))
    with pytest.raises(DeadlineExceeded):
        await pipeline.acall(Scripted(Takes(60)).acall)
    with pytest.raises(DeadlineExceeded):
        await anext(pipeline.stream(Scripted([Takes(60)]).stream))
    assert threads.running == 0


def test_in_real_time_too(release: Event) -> None:
    pipeline = Pipeline(Deadline(0.01, threads=WorkerThreads(1)))
    with pytest.raises(DeadlineExceeded):
        pipeline.call(release.wait)
    assert Pipeline(Deadline(60, threads=WorkerThreads(1))).call(lambda: "answer") == "answer"


def test_threads_are_worker_threads() -> None:
    with pytest.raises(ValidationErrors):
        Deadline(1, threads=8)  # type: ignore[arg-type]
    assert str(Deadline(2, threads=WorkerThreads(8))) == "Deadline 2s on 8 threads"
