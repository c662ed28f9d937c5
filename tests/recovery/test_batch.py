"""Many items through one pipeline: what succeeds is kept, what fails is told, in order."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InternalError,
    NetworkError,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    Batch,
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    DeadlinePassed,
    Event,
    ItemFailure,
    ItemSuccess,
    Pipeline,
    Retry,
    RetryBudget,
    agather,
    attempts,
    gather,
    remaining,
)
from stormproof.testing import FakeClock, Scripted, Takes

Gather: TypeAlias = Callable[..., Batch[int, int]]


def in_threads(
    pipeline: Pipeline, fn: Callable[[int], int], items: Iterable[int], *, concurrency: int
) -> Batch[int, int]:
    return gather(pipeline, fn, items, concurrency=concurrency)


def in_tasks(
    pipeline: Pipeline, fn: Callable[[int], int], items: Iterable[int], *, concurrency: int
) -> Batch[int, int]:
    async def call(item: int) -> int:
        await asyncio.sleep(0)
        return fn(item)

    return asyncio.run(agather(pipeline, call, items, concurrency=concurrency))


either = pytest.mark.parametrize("gather_in", [in_threads, in_tasks])


def half(item: int) -> int:
    if item % 2:
        raise NetworkError(reason=f"odd {item}")
    return item // 2


@either
@settings(max_examples=30, deadline=None)
@given(items=st.lists(st.integers(), max_size=20), concurrency=st.integers(1, 8))
def test_every_item_has_its_outcome_in_the_order_of_the_input(
    gather_in: Gather, items: list[int], concurrency: int
) -> None:
    batch = gather_in(Pipeline(), half, items, concurrency=concurrency)
    assert [(one.index, one.item) for one in batch.results] == list(enumerate(items))
    assert [one.result for one in batch.successes] == [item // 2 for item in items if not item % 2]
    assert [str(one.error.message) for one in batch.failures] == [
        NetworkError(reason=f"odd {item}").message for item in items if item % 2
    ]
    assert len(batch.successes) + len(batch.failures) == len(items)


@either
def test_each_item_is_retried_on_its_own(gather_in: Gather, clock: FakeClock) -> None:
    calls = dict.fromkeys(range(5), 0)

    def second_time(item: int) -> int:
        calls[item] += 1
        if calls[item] == 1:
            raise NetworkError(reason="cut")
        return item

    batch = gather_in(Pipeline(Retry()), second_time, range(5), concurrency=2)
    assert [one.result for one in batch.successes] == [0, 1, 2, 3, 4]
    assert set(calls.values()) == {2}


@either
def test_all_items_share_one_budget(gather_in: Gather, clock: FakeClock) -> None:
    calls: list[int] = []

    def fail(item: int) -> int:
        calls.append(item)
        raise NetworkError(reason="cut")

    pipeline = Pipeline(Retry(initial_delay=0, budget=RetryBudget(floor=1, window=7)))
    batch = gather_in(pipeline, fail, range(20), concurrency=4)
    assert len(batch.failures) == 20
    assert len(calls) == 20 + 7


@either
def test_an_open_circuit_fails_the_rest_without_calling(gather_in: Gather) -> None:
    calls: list[int] = []

    def fail(item: int) -> int:
        calls.append(item)
        raise NetworkError(reason="cut")

    pipeline = Pipeline(CircuitBreaker("model", opens_on=ConsecutiveFailures(3)))
    batch = gather_in(pipeline, fail, range(10), concurrency=1)
    assert calls == [0, 1, 2]
    assert all(isinstance(one.error, CircuitOpen) for one in batch.failures[3:])


@either
def test_a_foreign_error_is_translated_and_keeps_its_attempts(
    gather_in: Gather, clock: FakeClock
) -> None:
    def refuse(item: int) -> int:
        raise (ConnectionRefusedError() if item else ZeroDivisionError())

    batch = gather_in(Pipeline(Retry()), refuse, [0, 1], concurrency=2)
    bug, refused = (one.error for one in batch.failures)
    assert isinstance(bug, InternalError)
    assert isinstance(bug.__cause__, ZeroDivisionError)
    assert refused.retriable
    assert len(attempts(refused)) == 3


def test_raise_if_failed_raises_every_error_in_order() -> None:
    batch = gather(Pipeline(), half, [1, 2, 3], concurrency=3)
    with pytest.raises(ExceptionGroup, match="2 of 3 items failed") as raised:
        batch.raise_if_failed()
    assert list(raised.value.exceptions) == [one.error for one in batch.failures]


def test_raise_if_failed_does_nothing_where_all_succeeded() -> None:
    gather(Pipeline(), half, [2, 4], concurrency=3).raise_if_failed()
    gather(Pipeline(), half, [], concurrency=3).raise_if_failed()


def test_outcomes_are_typed_records() -> None:
    batch = gather(Pipeline(), half, [4, 5], concurrency=1)
    assert batch.results[0] == ItemSuccess(index=0, item=4, result=2)
    failure = batch.results[1]
    assert isinstance(failure, ItemFailure)
    assert (failure.index, failure.item) == (1, 5)


def test_as_many_threads_run_at_once_as_allowed_and_no_more() -> None:
    """The barrier breaks with fewer than three at once; the count shows any more."""
    barrier = threading.Barrier(3)
    lock = threading.Lock()
    running = most = 0

    def meet(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait(timeout=30)
        with lock:
            running -= 1
        return item

    gather(Pipeline(), meet, range(3), concurrency=3).raise_if_failed()
    assert most == 3
    barrier.reset()
    gather(Pipeline(), meet, range(9), concurrency=3).raise_if_failed()
    assert most == 3


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_as_many_tasks_run_at_once_as_allowed_and_no_more(
    clock: FakeClock, concurrency: int
) -> None:
    running = most = 0

    async def fetch(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await clock.asleep(1)
        running -= 1
        return item

    await agather(Pipeline(), fetch, range(12), concurrency=concurrency)
    assert most == min(concurrency, 12)


async def test_cancelling_cancels_what_runs_and_begins_nothing_more() -> None:
    begun: list[int] = []
    ended: list[int] = []
    full = asyncio.Event()

    async def hang(item: int) -> None:
        begun.append(item)
        if len(begun) == 3:
            full.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    task = asyncio.create_task(agather(Pipeline(Retry()), hang, range(10), concurrency=3))
    await full.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun == sorted(ended) == [0, 1, 2]


async def test_a_cancellation_from_within_is_not_taken_for_an_outcome() -> None:
    """As when the call awaits a task that somebody else cancels."""
    begun: list[int] = []

    async def cancelled(item: int) -> int:
        begun.append(item)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await agather(Pipeline(), cancelled, range(5), concurrency=1)
    assert begun == [0]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, StopIteration])
def test_what_is_no_error_stops_the_threads(stop: type[BaseException]) -> None:
    begun: list[int] = []

    def run(item: int) -> int:
        begun.append(item)
        raise stop

    with pytest.raises(stop):
        gather(Pipeline(Retry()), run, range(5), concurrency=1)
    assert begun == [0]


async def test_control_flow_leaves_the_tasks_as_what_it_is() -> None:
    """Not inside an exception group, where nobody who waits for it would find it."""

    async def stop(item: int) -> int:
        raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration):
        await agather(Pipeline(), stop, range(5), concurrency=3)


@either
def test_the_deadline_in_force_holds_for_every_item(gather_in: Gather, clock: FakeClock) -> None:
    left: list[float | None] = []

    def ask(item: int) -> int:
        left.append(remaining())
        return item

    Pipeline(Deadline(5)).call(gather_in, Pipeline(), ask, range(3), concurrency=2)
    assert left == [pytest.approx(5)] * 3


def test_items_that_have_not_begun_when_time_is_over_fail(
    clock: FakeClock, heard: list[Event]
) -> None:
    """Sync work cannot be cut, so what was done in time is there, and the rest is told."""
    fetch = Scripted(Takes(2, "answer"))
    limited = Pipeline(Deadline(5))
    batch = limited.call(gather, Pipeline(name="ask"), fetch, range(5), concurrency=1)
    assert [one.index for one in batch.successes] == [0, 1, 2]
    assert all(isinstance(one.error, DeadlineExceeded) for one in batch.failures)
    told = DeadlinePassed(pipeline="ask", strategy="gather", timeout=None)
    assert heard == [told, told]


async def test_an_item_that_is_out_of_time_leaves_the_others_theirs(clock: FakeClock) -> None:
    async def sleep(seconds: int) -> int:
        await clock.asleep(seconds)
        return seconds

    batch = await agather(Pipeline(Deadline(5)), sleep, [1, 9, 2], concurrency=3)
    assert [one.result for one in batch.successes] == [1, 2]
    assert isinstance(batch.failures[0].error, DeadlineExceeded)


@either
def test_a_batch_that_is_dropped_is_gone_at_once(gather_in: Gather) -> None:
    """A traceback leads to the frame that caught it: no way must lead back to the error."""
    gc.disable()
    try:
        batch = gather_in(Pipeline(), half, [1, 2, 3], concurrency=2)
        errors = [weakref.ref(one.error) for one in batch.failures]
        del batch
        assert [error() for error in errors] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("concurrency", [0, -1, 1001, True, 1.5])
async def test_a_concurrency_that_is_none_is_refused(concurrency: Any) -> None:
    with pytest.raises(ValidationErrors):
        gather(Pipeline(), half, [1], concurrency=concurrency)
    with pytest.raises(ValidationErrors):
        await agather(Pipeline(), Scripted("").acall, [1], concurrency=concurrency)


def test_an_error_in_the_input_is_the_callers() -> None:
    def items() -> Iterable[int]:
        yield 2
        raise NetworkError(reason="cut")

    calls: list[int] = []
    with pytest.raises(StormproofError):
        gather(Pipeline(), calls.append, items(), concurrency=2)
    assert calls == []
