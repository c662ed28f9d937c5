"""A stream from which nothing comes any more is cut, however long it has been going."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import (
    DeadlineExceeded,
    NetworkError,
    PartialOutput,
    StreamStalled,
    ValidationErrors,
)
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Event,
    IdleTimeout,
    IdleTimeoutPassed,
    Pipeline,
    Reset,
    Restart,
    Resume,
    Retry,
)
from stormproof.testing import FakeClock, Scripted, Takes

NEVER = Takes(86_400)


async def collect(items: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in items]


@pytest.mark.parametrize(
    ("idle", "seconds"), [(IdleTimeout(5), 5), (IdleTimeout(5, first=30), 30)], ids=str
)
async def test_the_first_item_may_be_given_a_time_of_its_own(
    clock: FakeClock, idle: IdleTimeout, seconds: float
) -> None:
    begun = clock.now()
    with pytest.raises(StreamStalled) as raised:
        await collect(Pipeline(idle).stream(Scripted([NEVER]).stream))
    assert raised.value.seconds == seconds
    assert clock.now() - begun == pytest.approx(seconds)


@pytest.mark.parametrize("idle", [IdleTimeout(5), IdleTimeout(5, first=30)], ids=str)
@pytest.mark.parametrize("quick", [0, 1, 100])
async def test_a_stall_is_cut_when_the_wait_for_one_item_is_too_long(
    clock: FakeClock, idle: IdleTimeout, quick: int
) -> None:
    """To the moment, wherever the timer stood that served the waits before."""
    source = Scripted([*[Takes(0.3, number) for number in range(quick + 1)], NEVER])
    begun = clock.now()
    with pytest.raises(PartialOutput) as raised:
        await collect(Pipeline(idle).stream(source.stream))
    assert isinstance(raised.value.__cause__, StreamStalled)
    assert clock.now() - begun == pytest.approx(0.3 * (quick + 1) + 5)


async def test_a_stream_may_take_as_long_as_it_likes(clock: FakeClock) -> None:
    """As long as something comes in time."""
    source = Scripted([Takes(4.9, number) for number in range(100)])
    assert await collect(Pipeline(IdleTimeout(5)).stream(source.stream)) == list(range(100))


async def test_the_time_that_the_consumer_takes_does_not_count(clock: FakeClock) -> None:
    items = Pipeline(IdleTimeout(5)).stream(Scripted(["a", Takes(4, "b"), NEVER]).stream)
    assert await anext(items) == "a"
    await clock.asleep(60)
    assert await anext(items) == "b"
    clock.sleep(60)
    begun = clock.now()
    with pytest.raises(PartialOutput):
        await anext(items)
    assert clock.now() - begun == pytest.approx(5)


@given(
    waits=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    pauses=st.lists(st.integers(0, 20), min_size=12, max_size=12),
    seconds=st.integers(0, 9),
    first=st.none() | st.integers(0, 9),
)
@settings(deadline=None)
async def test_what_arrives_is_what_came_in_time(
    waits: list[int], pauses: list[int], seconds: int, first: int | None
) -> None:
    """Whatever the waits for items and the pauses between them."""
    idle = IdleTimeout(seconds + 0.5, None if first is None else first + 0.5)
    allowed = [seconds if first is None else first, *[seconds] * (len(waits) - 1)]
    in_time = list(takewhile(lambda number: waits[number] <= allowed[number], range(len(waits))))
    source = Scripted([Takes(wait, number) for number, wait in enumerate(waits)])
    received: list[int] = []
    with FakeClock() as clock, suppress(StreamStalled, PartialOutput):
        async for item in Pipeline(idle).stream(source.stream):
            received.append(item)
            await clock.asleep(pauses[item])
        assert len(received) == len(waits)
    assert received == in_time


class Remembering(FakeClock):
    """Knows every timer that was set."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[Any] = []

    def call_later(self, loop: Any, seconds: float, callback: Any, /) -> Any:
        timer = super().call_later(loop, seconds, callback)
        self.timers.append(timer)
        return timer


async def test_items_that_come_quickly_share_one_timer() -> None:
    """And when they are through, nothing is left that would wake the loop."""
    with Remembering() as clock:
        async for item in Pipeline(IdleTimeout(5)).stream(Scripted([*range(1000)]).stream):
            clock.sleep(0.001 * (item % 2))
    [timer] = clock.timers
    assert not timer.waits_in(asyncio.get_running_loop())


async def test_nothing_is_left_behind(clock: FakeClock) -> None:
    """Neither an open source nor a request to cancel the consumer."""
    closed: list[str] = []

    async def source() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await clock.asleep(60)
        finally:
            closed.append("closed")

    with pytest.raises(PartialOutput):
        await collect(Pipeline(IdleTimeout(5)).stream(source))
    items = Pipeline(IdleTimeout(5)).stream(source)
    assert await anext(items) == 1
    await items.aclose()
    assert closed == ["closed"] * 2
    task = asyncio.current_task()
    clock.advance(3600)
    assert task is not None
    assert not task.cancelling()


async def test_a_cancellation_by_somebody_else_stays_one(clock: FakeClock) -> None:
    """Also in the moment of the cut, and also after a source has taken no notice of a cut."""
    source = Scripted([1, NEVER])
    task = asyncio.create_task(collect(Pipeline(IdleTimeout(5)).stream(source.stream)))
    clock.call_later(asyncio.get_running_loop(), 5, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task

    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            await clock.asleep(60)
        except asyncio.CancelledError:
            yield 1
        await clock.asleep(60)

    items = Pipeline(IdleTimeout(5)).stream(stubborn)
    me = asyncio.current_task()
    assert me is not None
    assert (await anext(items), me.cancelling()) == (1, 0)

    task = asyncio.create_task(collect(Pipeline(IdleTimeout(5)).stream(stubborn)))
    clock.call_later(asyncio.get_running_loop(), 7, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_at_the_same_moment_has_the_last_word(clock: FakeClock) -> None:
    pipeline = Pipeline(Deadline(5), Retry(), IdleTimeout(5))
    source = Scripted([NEVER])
    with pytest.raises(DeadlineExceeded):
        await collect(pipeline.stream(source.stream))
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    assert len(source.calls) == 1


async def test_a_retry_tries_again_when_nothing_came(clock: FakeClock) -> None:
    source = Scripted([NEVER], ["a", "b"])
    pipeline = Pipeline(Retry(), IdleTimeout(5))
    assert await collect(pipeline.stream(source.stream)) == ["a", "b"]


async def test_a_resume_goes_on_when_no_more_comes(clock: FakeClock) -> None:
    """Each continuation is given the time of a first item again."""

    async def count(*, delivered: Sequence[int] = ()) -> AsyncGenerator[int, None]:
        await clock.asleep(25)
        for number in range(len(delivered), 10):
            if number and number % 3 == 0 and number != len(delivered):
                await clock.asleep(3600)
            yield number

    pipeline = Pipeline(Resume(), Retry(), IdleTimeout(5, first=30))
    assert await collect(pipeline.stream(count)) == list(range(10))


async def test_a_restart_begins_again_when_no_more_comes(clock: FakeClock) -> None:
    source = Scripted(["a", NEVER], ["b"])
    items = await collect(Pipeline(Restart(), IdleTimeout(5)).stream(source.stream))
    assert [type(item) for item in items] == [str, Reset, str]


async def test_the_breaker_outside_of_it_counts_a_stall(clock: FakeClock) -> None:
    breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1))
    pipeline = Pipeline(breaker, IdleTimeout(5))
    with pytest.raises(PartialOutput):
        await collect(pipeline.stream(Scripted(["a", NEVER]).stream))
    assert breaker.state.value == "open"


async def test_each_cut_is_told(clock: FakeClock, heard: list[Event]) -> None:
    with pytest.raises(StreamStalled):
        await collect(Pipeline(IdleTimeout(5), name="ask").stream(Scripted([NEVER]).stream))
    assert heard == [IdleTimeoutPassed(pipeline="ask", strategy="idle-timeout", seconds=5)]


async def test_what_the_source_raises_passes_through(clock: FakeClock) -> None:
    cut = NetworkError(reason="cut")
    with pytest.raises(NetworkError) as raised:
        await collect(Pipeline(IdleTimeout(5)).stream(Scripted([cut]).stream))
    assert raised.value is cut


async def test_calls_and_coroutines_pass_through(clock: FakeClock) -> None:
    """They have no items; a deadline is for those."""
    pipeline = Pipeline(IdleTimeout(5, first=30))
    assert pipeline.call(Scripted(Takes(60, 1))) == 1
    assert await pipeline.acall(Scripted(Takes(60, 2)).acall) == 2
    assert str(pipeline) == "pipeline: IdleTimeout 5s, first 30s"


def test_its_options_are_checked() -> None:
    with pytest.raises(ValidationErrors) as caught:
        IdleTimeout(0, first=-1)
    assert {problem["field"] for problem in caught.value.errors} == {"seconds", "first"}
