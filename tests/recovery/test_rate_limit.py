"""So many calls in a time, and no more."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from stormproof.errors import (
    DeadlineExceeded,
    NetworkError,
    RateLimitExceeded,
    ValidationErrors,
)
from stormproof.recovery import (
    CallRejected,
    CallWaited,
    Deadline,
    Event,
    Pipeline,
    RateLimit,
    Retry,
)
from stormproof.testing import FakeClock, Scripted


class Timed:
    """A dependency that keeps the time of every call."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self.times: list[float] = []

    def __call__(self) -> None:
        self.times.append(self._clock.now() - self._begun)

    async def acall(self) -> None:
        self()


def test_after_the_burst_calls_are_spread_evenly(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=2, burst=3))(timed)
    for _ in range(7):
        guarded()
    assert timed.times == pytest.approx([0, 0, 0, 0.5, 1, 1.5, 2])


def test_what_is_saved_in_a_pause_is_bounded_by_the_burst(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1, burst=2))(timed)
    clock.advance(1000)
    for _ in range(4):
        guarded()
    assert timed.times == pytest.approx([1000, 1000, 1001, 1002])


async def test_tasks_go_in_by_their_order(clock: FakeClock, heard: list[Event]) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1), name="ask")(timed.acall)
    await asyncio.gather(*(guarded() for _ in range(4)))
    assert timed.times == pytest.approx([0, 1, 2, 3])
    waited = [event.wait for event in heard if isinstance(event, CallWaited)]
    assert waited == pytest.approx([1, 2, 3])


def test_a_call_that_would_wait_too_long_is_turned_away_at_once(
    clock: FakeClock, heard: list[Event]
) -> None:
    fetch = Scripted("answer")
    guarded = Pipeline(RateLimit("api", 2, period=60, max_wait=0), name="ask")(fetch)
    guarded()
    guarded()
    clock.advance(10)
    with pytest.raises(RateLimitExceeded) as raised:
        guarded()
    error = raised.value
    assert (error.limit, error.window) == (2, 60)
    assert error.retry_after == pytest.approx(20)
    assert clock.slept == []
    assert len(fetch.calls) == 2
    assert heard == [CallRejected(pipeline="ask", strategy="api", retry_after=error.retry_after)]


def test_after_what_a_rejection_asks_for_there_is_a_permit(clock: FakeClock) -> None:
    """Each time, however the numbers are rounded."""
    limit = RateLimit("api", permits=7, period=1.3, burst=5, max_wait=0)
    guarded = Pipeline(limit)(Scripted("answer"))
    for _ in range(5):
        guarded()
    for _ in range(100):
        with pytest.raises(RateLimitExceeded) as raised:
            guarded()
        assert raised.value.retry_after is not None
        clock.advance(raised.value.retry_after)
        guarded()


def test_a_rejected_call_takes_no_permit(clock: FakeClock) -> None:
    guarded = Pipeline(RateLimit("api", permits=1, max_wait=0))(Scripted("answer"))
    guarded()
    for _ in range(100):
        with pytest.raises(RateLimitExceeded):
            guarded()
    clock.advance(1)
    assert guarded() == "answer"


def test_no_wait_outlasts_the_deadline(clock: FakeClock) -> None:
    """The call is turned away at once, so that a fallback has the time to answer."""
    limited = Pipeline(RateLimit("api", permits=1, period=5))(Scripted("answer"))
    limited()
    begun = clock.now()
    with pytest.raises(RateLimitExceeded):
        Pipeline(Deadline(3)).call(limited)
    assert clock.now() == begun
    assert Pipeline(Deadline(6)).call(limited) == "answer"


def test_a_retry_waits_for_as_long_as_the_limit_says(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(Retry(), RateLimit("api", permits=1, period=4, max_wait=0))(timed)
    guarded()
    guarded()
    assert timed.times == pytest.approx([0, 4])
    assert clock.slept == pytest.approx([4])


def test_each_attempt_takes_a_permit(clock: FakeClock) -> None:
    begun = clock.now()
    fetch = Scripted(NetworkError(reason="cut"), "answer")
    Pipeline(Retry(initial_delay=0), RateLimit("api", permits=1, period=4)).call(fetch)
    assert clock.now() - begun == pytest.approx(4)


async def test_a_call_that_is_cancelled_while_it_waits_gives_its_permit_back(
    clock: FakeClock,
) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1))(timed.acall)
    await guarded()
    waiting = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await guarded()
    assert timed.times == pytest.approx([0, 1])


async def test_an_outer_deadline_cuts_a_wait_and_keeps_the_permit(clock: FakeClock) -> None:
    """The wait was short enough when it began; then the deadline's call did something else."""
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1))(timed.acall)
    await guarded()

    async def both() -> None:
        waiting = asyncio.create_task(guarded())
        await asyncio.sleep(0)
        clock.advance(0.9)
        await asyncio.gather(waiting, clock.asleep(5))

    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(2)).acall(both)
    assert timed.times == pytest.approx([0, 1])


async def test_a_stream_takes_one_permit_with_its_first_item(clock: FakeClock) -> None:
    begun = clock.now()
    guarded = Pipeline(RateLimit("api", permits=1))(Scripted(["a", "b", "c"]).stream)
    streams = [guarded(), guarded()]
    clock.advance(5)
    for stream in streams:
        assert [item async for item in stream] == ["a", "b", "c"]
    assert clock.now() - begun == pytest.approx(6)


def test_50_threads_at_once_get_exactly_the_permits(clock: FakeClock) -> None:
    start = threading.Barrier(50)
    fetch = Scripted("answer")
    guarded = Pipeline(RateLimit("api", permits=7, max_wait=0))(fetch)
    rejected: list[RateLimitExceeded] = []

    def run() -> None:
        start.wait()
        try:
            guarded()
        except RateLimitExceeded as error:
            rejected.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fetch.calls), len(rejected)) == (7, 43)


def test_it_prints_in_one_line() -> None:
    assert str(RateLimit("api", 500, period=60)) == "RateLimit api 500 per 60s"


@pytest.mark.parametrize(
    "options",
    [
        {"name": "", "permits": 1},
        {"name": "api", "permits": 0},
        {"name": "api", "permits": 1.5},
        {"name": "api", "permits": 1, "period": 0},
        {"name": "api", "permits": 1, "period": float("nan")},
        {"name": "api", "permits": 1, "burst": 0},
        {"name": "api", "permits": 1, "max_wait": -1},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationErrors):
        RateLimit(**options)
