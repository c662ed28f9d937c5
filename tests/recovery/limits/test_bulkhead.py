"""So many calls at once, and no more."""

import asyncio
import contextvars
import gc
import threading
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import CapacityExceeded, DeadlineExceeded, NetworkError, ValidationErrors
from stormproof.recovery import (
    Bulkhead,
    CallRejected,
    CallWaited,
    Deadline,
    DeadlinePassed,
    Event,
    Pipeline,
    Retry,
)
from stormproof.recovery.clock import SystemClock, reset_clock, set_clock
from stormproof.testing import FakeClock, Scripted, Takes


class Busy:
    """A dependency that counts who is inside, and has them all wait for one moment."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.order: list[int] = []

    async def acall(self, number: int = 0, seconds: float = 1.0) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(number)
        try:
            await asyncio.sleep(0)
            await Scripted(Takes(seconds)).acall()
        finally:
            self.inside -= 1
        return number


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_tasks_go_in_by_the_limit_and_in_their_order(clock: FakeClock) -> None:
    bulkhead, busy = Bulkhead("gpu", limit=3, queue=100), Busy()
    guarded = Pipeline(bulkhead)(busy.acall)
    begun = clock.now()
    assert await asyncio.gather(*map(guarded, range(30))) == list(range(30))
    assert busy.most == 3
    assert busy.order == list(range(30))
    assert clock.now() - begun == pytest.approx(10)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_a_full_queue_turns_calls_away(clock: FakeClock, heard: list[Event]) -> None:
    busy = Busy()
    guarded = Pipeline(Bulkhead("gpu", limit=2, queue=3), name="ask")(busy.acall)
    ends = await asyncio.gather(*map(guarded, range(7)), return_exceptions=True)
    assert ends[:5] == [0, 1, 2, 3, 4]
    for end in ends[5:]:
        assert isinstance(end, CapacityExceeded)
        assert (end.resource, end.limit, end.retry_after) == ("gpu", 5, None)
    rejected = CallRejected(pipeline="ask", strategy="gpu", retry_after=None)
    assert heard[:2] == [rejected] * 2
    waits = [event.wait for event in heard if isinstance(event, CallWaited)]
    assert waits == pytest.approx([1, 1, 2])


async def test_a_rejection_says_when_the_queue_will_be_empty(clock: FakeClock) -> None:
    """Two calls a second go out; the four that wait now will have had their turn in 2 s."""
    guarded = Pipeline(Bulkhead("gpu", limit=1, queue=4))(Busy().acall)
    tasks = [asyncio.create_task(guarded(n, 0.5)) for n in range(5)]
    await clock.asleep(0.6)
    tasks.append(asyncio.create_task(guarded(5, 0.5)))
    await clock.asleep(0.4)
    await settle()
    while len(tasks) < 8:
        tasks.append(asyncio.create_task(guarded(0, 0.5)))
    await settle()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    (full,) = [end for end in ends if isinstance(end, CapacityExceeded)]
    assert full.retry_after == pytest.approx(2)


async def test_without_a_queue_nothing_waits(clock: FakeClock) -> None:
    guarded = Pipeline(Bulkhead("gpu", limit=1))(Busy().acall)
    ends = await asyncio.gather(guarded(), guarded(), return_exceptions=True)
    assert isinstance(ends[1], CapacityExceeded)


@pytest.mark.parametrize("end", [NetworkError(reason="cut"), KeyboardInterrupt(), SystemExit()])
def test_however_a_call_ends_its_place_is_free(end: BaseException) -> None:
    bulkhead = Bulkhead("gpu", limit=1)
    with pytest.raises(type(end)):
        Pipeline(bulkhead).call(Scripted(end))
    assert Pipeline(bulkhead).call(Scripted("answer")) == "answer"


async def test_a_cancelled_call_gives_its_place_to_the_next(clock: FakeClock) -> None:
    """Whether it waits, was just admitted, or is inside."""
    bulkhead, busy = Bulkhead("gpu", limit=1, queue=10), Busy()
    guarded = Pipeline(bulkhead)(busy.acall)
    tasks = [asyncio.create_task(guarded(number)) for number in range(5)]
    await settle()
    tasks[1].cancel()  # waits
    tasks[0].cancel()  # is inside: number 2 is admitted
    await asyncio.sleep(0)
    assert (bulkhead.running, bulkhead.waiting) == (1, 2)
    tasks[2].cancel()  # before it has run
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3 + [int] * 2
    assert busy.order == [0, 3, 4]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_a_wait_ends_with_the_deadline(clock: FakeClock) -> None:
    bulkhead, busy = Bulkhead("gpu", limit=1, queue=1), Busy()
    held = asyncio.create_task(Pipeline(bulkhead).acall(busy.acall, 0, 60))
    await settle()
    begun = clock.now()
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(2), bulkhead).acall(busy.acall, 1)
    assert clock.now() - begun == pytest.approx(2)
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)
    await held
    assert busy.order == [0]


async def test_a_task_that_left_its_deadlines_call_waits_no_longer(
    clock: FakeClock, heard: list[Event]
) -> None:
    """Nobody cancels it, but the deadline is in force in it."""
    bulkhead, busy = Bulkhead("gpu", limit=1, queue=1), Busy()
    held = asyncio.create_task(Pipeline(bulkhead).acall(busy.acall, 0, 60))
    await settle()
    guarded = Pipeline(bulkhead, name="ask")(busy.acall)

    async def spawn() -> "asyncio.Task[int]":
        return asyncio.create_task(guarded(1))

    left_behind = await Pipeline(Deadline(2)).acall(spawn)
    with pytest.raises(DeadlineExceeded) as raised:
        await left_behind
    assert raised.value.operation == "ask"
    assert heard == [DeadlinePassed(pipeline="ask", strategy="gpu", timeout=None)]
    assert bulkhead.waiting == 0
    await held


async def test_a_wait_that_ends_in_time_leaves_no_timer_behind() -> None:
    set_off: list[bool] = []
    called_off: list[bool] = []

    class Timer:
        def cancel(self) -> None:
            called_off.append(True)

    class Clock(SystemClock):
        def call_later(self, *_: object) -> Timer:  # type: ignore[override]
            set_off.append(True)
            return Timer()

    bulkhead = Bulkhead("gpu", limit=1, queue=1)
    free = asyncio.Event()
    held = asyncio.create_task(Pipeline(bulkhead).acall(free.wait))
    await settle()
    token = set_clock(Clock())
    waiting = asyncio.create_task(Pipeline(Deadline(9), bulkhead).acall(Scripted("a").acall))
    reset_clock(token)
    await settle()
    assert (bulkhead.waiting, called_off) == (1, [])
    free.set()
    assert await waiting == "a"
    assert len(set_off) == len(called_off) == 2  # the deadline's and the queue's
    await held


def test_a_thread_waits_no_longer_than_its_deadline(clock: FakeClock) -> None:
    bulkhead = Bulkhead("gpu", limit=1, queue=1)
    guarded = Pipeline(bulkhead)(Scripted("answer"))

    def again() -> None:
        with pytest.raises(DeadlineExceeded):
            Pipeline(Deadline(3)).call(guarded)

    begun = clock.now()
    Pipeline(bulkhead).call(again)
    assert clock.now() - begun == pytest.approx(3)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    assert guarded() == "answer"


async def test_a_retry_holds_no_place_while_it_waits(clock: FakeClock) -> None:
    bulkhead = Bulkhead("gpu", limit=1)
    fetch = Scripted(NetworkError(reason="cut"), "answer")
    retried = asyncio.create_task(Pipeline(Retry(), bulkhead).acall(fetch.acall))
    await settle()
    assert bulkhead.running == 0
    assert await retried == "answer"


async def test_a_retry_tries_a_full_bulkhead_again(clock: FakeClock) -> None:
    bulkhead, busy = Bulkhead("gpu", limit=1), Busy()
    held = asyncio.create_task(Pipeline(bulkhead).acall(busy.acall, 0, 0.05))
    await settle()
    assert await Pipeline(Retry(), bulkhead).acall(busy.acall, 1) == 1
    await held


async def test_a_stream_keeps_its_place_until_it_ends(clock: FakeClock) -> None:
    bulkhead = Bulkhead("gpu", limit=1, queue=1)
    guarded = Pipeline(bulkhead)(Scripted(["a", "b"]).stream)
    first = guarded()
    assert await anext(first) == "a"
    waiting = asyncio.create_task(anext(guarded()))
    await settle()
    assert (bulkhead.running, bulkhead.waiting) == (1, 1)
    assert [item async for item in first] == ["b"]
    assert await waiting == "a"
    assert bulkhead.running == 1


async def test_a_stream_that_is_closed_gives_its_place_back(clock: FakeClock) -> None:
    bulkhead = Bulkhead("gpu", limit=1)
    async with aclosing(Pipeline(bulkhead).stream(Scripted(["a", "b"]).stream)) as items:
        assert bulkhead.running == 0  # it begins with its first item
        assert await anext(items) == "a"
        assert bulkhead.running == 1
    assert bulkhead.running == 0


def test_of_20_threads_never_more_than_the_limit_are_inside() -> None:
    """Real threads, each again and again: none is lost, none is one too many."""
    bulkhead = Bulkhead("gpu", limit=3, queue=20)
    lock, inside, seen, done = threading.Lock(), [0], [0], [0]

    def work() -> None:
        with lock:
            inside[0] += 1
            seen[0] = max(seen[0], inside[0])
        with lock:
            inside[0] -= 1
            done[0] += 1

    guarded = Pipeline(bulkhead)(work)

    def run() -> None:
        for _ in range(50):
            guarded()

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done[0] == 1000
    assert 1 <= seen[0] <= 3
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_full_bulkhead_admits_exactly_its_limit_of_threads() -> None:
    """All inside stay there until everybody else was turned away."""
    bulkhead = Bulkhead("gpu", limit=4)
    everybody = threading.Barrier(30)
    rejected: list[CapacityExceeded] = []
    guarded = Pipeline(bulkhead)(everybody.wait)

    def run() -> None:
        try:
            guarded()
        except CapacityExceeded as error:
            rejected.append(error)
            everybody.wait()

    threads = [threading.Thread(target=run) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rejected) == 26


def test_threads_and_event_loops_wait_in_one_queue() -> None:
    """A thread holds the only place; a task of a loop in another thread gets it next."""
    bulkhead = Bulkhead("gpu", limit=1, queue=1)
    release = threading.Event()
    guarded = Pipeline(bulkhead)(release.wait)
    holder = threading.Thread(target=guarded)
    holder.start()
    while not bulkhead.running:
        pass

    async def ask() -> Any:
        asked = asyncio.create_task(Pipeline(bulkhead).acall(Scripted("answer").acall))
        await settle()
        assert bulkhead.waiting == 1
        release.set()
        return await asked

    assert asyncio.run(ask()) == "answer"
    holder.join()


def test_a_task_whose_loop_is_gone_keeps_nobody_waiting() -> None:
    bulkhead = Bulkhead("gpu", limit=1, queue=2)
    guarded = Pipeline(bulkhead)(Scripted("answer").acall)

    def abandon() -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(loop.stop)
        waiting = guarded()
        task = loop.create_task(waiting)
        loop.run_forever()
        loop.close()
        assert bulkhead.waiting == 1
        abandoned.append((task, waiting))

    abandoned: list[Any] = []
    Pipeline(bulkhead).call(abandon)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    task, waiting = abandoned.pop()
    waiting.close()
    expect_pending(task)
    del task, waiting
    gc.collect()
    assert Pipeline(bulkhead).call(Scripted("answer")) == "answer"


def expect_pending(task: "asyncio.Task[Any]") -> None:
    """Have asyncio not complain of the task that was left pending on purpose."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_thread_that_is_woken_by_hand_moved_time(heard: list[Event]) -> None:
    """With a clock that does not jump, the wait of a thread ends when somebody advances it."""
    bulkhead = Bulkhead("gpu", limit=1, queue=1)
    ends: list[BaseException] = []

    def wait() -> None:
        try:
            Pipeline(Deadline(5), bulkhead).call(Scripted("answer"))
        except DeadlineExceeded as error:
            ends.append(error)

    with FakeClock(jumps=False) as clock:

        def hold() -> None:
            thread = threading.Thread(target=contextvars.copy_context().run, args=(wait,))
            thread.start()
            while thread.is_alive():
                clock.advance(1)
            thread.join()

        Pipeline(bulkhead).call(hold)
    assert len(ends) == 1
    assert bulkhead.waiting == 0


def test_it_prints_in_one_line() -> None:
    assert str(Bulkhead("gpu", limit=8, queue=16)) == "Bulkhead gpu 8 at once, 16 waiting"


@pytest.mark.parametrize(
    "options",
    [
        {"name": "", "limit": 1},
        {"name": "gpu", "limit": 0},
        {"name": "gpu", "limit": 2.5},
        {"name": "gpu", "limit": True},
        {"name": "gpu", "limit": 1, "queue": -1},
        {"name": "gpu", "limit": 1, "queue": 10_000_000},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationErrors):
        Bulkhead(**options)
