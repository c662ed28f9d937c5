"""A store that comes and goes harms no call and costs few of them anything."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from stormproof.errors import NetworkError, ValidationErrors
from stormproof.recovery import (
    CircuitBreaker,
    Deadline,
    Event,
    Pipeline,
    RetryBudget,
    StoreLost,
    StoreRegained,
)
from stormproof.recovery.sharing.store import Operation, Steps, Store, arun, result_of, run
from stormproof.testing import FakeClock

GONE = ConnectionError("gone")


@dataclass(frozen=True)
class Put(Operation[int]):
    value: int

    def undo(self, result: int) -> "Put | None":
        return Put(-result) if result > 0 else None


class Shelf(Store):
    """Keeps what is put there, unless it is told to fail."""

    def __init__(self, retry_after: float = 1.0) -> None:
        super().__init__("shelf", timeout=0.2, retry_after=retry_after)
        self.failure: BaseException | None = None
        self.asked: list[int] = []
        self.answer = asyncio.Event()
        self.answer.set()

    def execute(self, operation: Operation[Any]) -> Any:
        assert isinstance(operation, Put)
        self.asked.append(operation.value)
        if self.failure is not None:
            raise self.failure
        return operation.value

    async def aexecute(self, operation: Operation[Any]) -> Any:
        await self.answer.wait()
        return self.execute(operation)


@pytest.fixture
def shelf(clock: FakeClock) -> Shelf:
    return Shelf()


def put(value: int) -> Steps[int | None]:
    return (yield from result_of(Put(value)))


def test_an_operation_has_its_result(shelf: Shelf) -> None:
    assert run(shelf, put(1)) == 1


async def test_so_it_has_for_a_coroutine(shelf: Shelf) -> None:
    assert await arun(shelf, put(1)) == 1


def test_a_store_out_of_reach_has_none_and_raises_nothing(shelf: Shelf) -> None:
    shelf.failure = GONE
    assert run(shelf, put(1)) is None
    assert not shelf.reachable


def test_it_is_left_alone_for_a_while(shelf: Shelf, clock: FakeClock) -> None:
    """A thousand calls in this time cost it, and themselves, nothing."""
    shelf.failure = GONE
    for value in range(1000):
        run(shelf, put(value))
    assert shelf.asked == [0]
    clock.advance(1)
    for value in range(1000, 2000):
        run(shelf, put(value))
    assert shelf.asked == [0, 1000]


def test_one_call_finds_out_that_it_is_back(shelf: Shelf, clock: FakeClock) -> None:
    shelf.failure = GONE
    run(shelf, put(1))
    shelf.failure = None
    assert run(shelf, put(2)) is None
    clock.advance(1)
    assert run(shelf, put(3)) == 3
    assert run(shelf, put(4)) == 4


async def test_only_one_of_many_tries(shelf: Shelf, clock: FakeClock) -> None:
    """The others do not wait for what it finds: a store may hang."""
    shelf.failure = GONE
    run(shelf, put(0))
    clock.advance(1)
    shelf.answer.clear()
    trying = asyncio.create_task(arun(shelf, put(1)))
    await asyncio.sleep(0)
    assert [await arun(shelf, put(2)) for _ in range(100)] == [None] * 100
    shelf.failure = None
    shelf.answer.set()
    assert await trying == 1
    assert shelf.asked == [0, 1]


def test_only_one_of_many_threads_tries(shelf: Shelf, clock: FakeClock) -> None:
    shelf.failure = GONE
    run(shelf, put(0))
    real = Shelf(retry_after=1000.0)  # threads have the real clock
    real.failure = GONE
    run(real, put(0))
    threads = [threading.Thread(target=run, args=(real, put(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert real.asked == [0]


async def test_a_call_that_was_cancelled_while_it_tried_is_followed_by_another(
    shelf: Shelf, clock: FakeClock
) -> None:
    shelf.failure = GONE
    run(shelf, put(0))
    clock.advance(1)
    shelf.answer.clear()
    trying = asyncio.create_task(arun(shelf, put(1)))
    await asyncio.sleep(0)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    shelf.failure = None
    shelf.answer.set()
    clock.advance(1)
    assert await arun(shelf, put(2)) == 2
    assert shelf.reachable


def test_an_outage_is_one_event_and_its_end_another(
    shelf: Shelf, clock: FakeClock, heard: list[Event]
) -> None:
    shelf.failure = GONE
    for _ in range(100):
        run(shelf, put(1))
        clock.advance(0.5)
    shelf.failure = None
    clock.advance(1)
    for _ in range(100):
        run(shelf, put(1))
    lost, regained = heard
    assert isinstance(lost, StoreLost)
    assert lost.strategy == "shelf"
    assert isinstance(lost.error, NetworkError)  # ours: it bears no address and no password
    assert isinstance(regained, StoreRegained)


async def test_calls_that_were_out_when_it_was_lost_do_not_end_the_outage(
    shelf: Shelf, clock: FakeClock, heard: list[Event]
) -> None:
    shelf.answer.clear()
    slow = asyncio.create_task(arun(shelf, put(1)))
    await asyncio.sleep(0)
    shelf.failure = GONE
    run(shelf, put(2))
    shelf.failure = None
    shelf.answer.set()
    assert await slow == 1
    assert not shelf.reachable
    assert [type(event) for event in heard] == [StoreLost]


async def test_a_call_with_little_time_left_does_not_ask(shelf: Shelf, clock: FakeClock) -> None:
    """A store that hangs must not be what makes it late; and nothing is wrong with the store."""
    assert Pipeline(Deadline(0.1)).call(lambda: run(shelf, put(1))) is None
    assert await Pipeline(Deadline(0.1)).acall(lambda: arun(shelf, put(1))) is None
    assert shelf.reachable
    assert Pipeline(Deadline(1)).call(lambda: run(shelf, put(2))) == 2


async def test_a_cancelled_operation_is_undone(shelf: Shelf) -> None:
    """Its caller does not learn what it did."""
    shelf.answer.clear()
    cut = asyncio.create_task(arun(shelf, put(5)))
    await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    shelf.answer.set()
    await asyncio.gather(*shelf._tasks)
    assert shelf.asked == [5, -5]


async def test_what_nobody_waits_for_is_told_although_the_deadline_is_over(shelf: Shelf) -> None:
    async def late() -> None:
        shelf.tell(put(7))

    await Pipeline(Deadline(0.001)).acall(late)
    await asyncio.gather(*shelf._tasks)
    assert shelf.asked == [7]


def test_a_thread_tells_it_too_however_little_time_is_left(shelf: Shelf) -> None:
    """What a call took must be given back, whatever the time."""
    Pipeline(Deadline(0.1)).call(lambda: shelf.tell(put(7)))
    assert shelf.asked == [7]


def test_without_an_event_loop_it_is_told_at_once(shelf: Shelf) -> None:
    shelf.tell(put(7))
    assert shelf.asked == [7]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), 100_000])
def test_a_store_has_times_that_make_sense(wrong: float) -> None:
    with pytest.raises(ValidationErrors, match="retry_after"):
        Shelf(retry_after=wrong)


def test_a_shared_budget_needs_a_name(shelf: Shelf) -> None:
    with pytest.raises(ValidationErrors, match="name"):
        RetryBudget(store=shelf)


@pytest.mark.parametrize(
    "make", [lambda it: CircuitBreaker("x", store=it), lambda it: RetryBudget(name="x", store=it)]
)
def test_what_is_not_a_store_is_refused(make: Any) -> None:
    with pytest.raises(ValidationErrors, match="store"):
        make("redis://localhost")
