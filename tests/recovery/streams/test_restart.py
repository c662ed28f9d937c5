"""A broken stream begins again, and its consumer is told to discard what it has."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, assert_type

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import (
    CircuitOpen,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Event,
    Pipeline,
    Reset,
    Restart,
    Resume,
    Retry,
    Strategy,
    StreamRestarted,
)
from stormproof.testing import FakeClock, Scripted

CUT = NetworkError(reason="cut")


async def collect(items: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in items]


async def read(items: AsyncGenerator[Any, None]) -> list[Any]:
    """Do as a consumer should: discard what a reset says is void."""
    received: list[Any] = []
    async for item in items:
        if isinstance(item, Reset):
            del received[len(received) - item.delivered :]
        else:
            received.append(item)
    return received


async def test_a_reset_stands_between_what_is_void_and_what_comes_instead() -> None:
    source = Scripted(["a", "b", CUT], ["c", "d", "e"])
    items = await collect(Pipeline(Restart()).stream(source.stream, "question"))
    assert items == ["a", "b", Reset(delivered=2, error=CUT), "c", "d", "e"]
    assert source.calls == [(("question",), {})] * 2


async def test_before_the_first_item_there_is_nothing_to_announce(clock: FakeClock) -> None:
    """That is for a retry, with its waits."""
    source = Scripted([CUT], ["a", CUT], [CUT], ["b"])
    assert await read(Pipeline(Restart(), Retry()).stream(source.stream)) == ["b"]
    assert clock.slept == [0.1, 0.1]
    with pytest.raises(NetworkError):
        await collect(Pipeline(Restart()).stream(Scripted([CUT]).stream))


async def test_it_begins_again_so_many_times() -> None:
    """The break after the last time is for whoever is outside, with what was then delivered."""
    source = Scripted(["a", CUT], ["b", "c", CUT], ["d", CUT])
    with pytest.raises(PartialOutput) as raised:
        await read(Pipeline(Restart(times=2)).stream(source.stream))
    assert raised.value.delivered == ("d",)
    assert len(source.calls) == 3


async def test_a_stream_that_brings_nothing_after_a_reset_fails_as_if_it_had_not_begun() -> None:
    source = Scripted(["a", CUT], [InvalidRequest(reason="no")])
    with pytest.raises(InvalidRequest):
        await collect(Pipeline(Restart()).stream(source.stream))


async def test_what_the_caller_must_change_is_not_restarted() -> None:
    source = Scripted(["a", InvalidRequest(reason="no")])
    with pytest.raises(PartialOutput):
        await collect(Pipeline(Restart()).stream(source.stream))
    assert len(source.calls) == 1


async def test_a_filter_selects_what_is_restarted() -> None:
    pipeline = Pipeline(Restart(restart_on=ValueError))
    source = Scripted(["a", ValueError("odd")], ["b", CUT])
    with pytest.raises(PartialOutput) as raised:
        await read(pipeline.stream(source.stream))
    assert raised.value.__cause__ is CUT


async def test_the_broken_source_is_closed_before_it_is_called_again() -> None:
    story: list[str] = []

    async def source() -> AsyncGenerator[str, None]:
        story.append("open")
        try:
            yield "a"
            if story.count("open") == 1:
                raise CUT
        finally:
            story.append("close")

    await collect(Pipeline(Restart()).stream(source))
    assert story == ["open", "close", "open", "close"]


async def test_a_consumer_who_leaves_is_sent_nothing_more() -> None:
    """However badly its source ends, and also instead of a reset."""
    calls: list[None] = []

    async def source() -> AsyncGenerator[int, None]:
        calls.append(None)
        try:
            yield 1
            raise CUT
        finally:
            if len(calls) == 2:
                raise NetworkError(reason="also cut")

    items = Pipeline(Restart(times=5)).stream(source)
    assert await anext(items) == 1
    assert isinstance(await anext(items), Reset)
    await items.aclose()
    assert len(calls) == 1

    items = Pipeline(Restart(times=5)).stream(source)
    assert await anext(items) == 1
    with pytest.raises(NetworkError):
        await items.aclose()
    assert len(calls) == 2


async def test_the_breaker_inside_counts_each_break(clock: FakeClock) -> None:
    breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(2))
    source = Scripted(["a", CUT])
    with pytest.raises(CircuitOpen):
        await collect(Pipeline(Restart(times=9), breaker).stream(source.stream))
    assert len(source.calls) == 2


async def test_each_restart_is_told(heard: list[Event]) -> None:
    source = Scripted(["a", "b", CUT], [])
    await collect(Pipeline(Restart(), name="ask").stream(source.stream))
    assert heard == [StreamRestarted(pipeline="ask", strategy="restart", delivered=2, error=CUT)]


async def test_calls_and_coroutines_pass_through() -> None:
    pipeline = Pipeline(Restart())
    assert pipeline.call(lambda: 1) == 1
    assert await pipeline.acall(Scripted(2).acall) == 2
    assert str(pipeline) == "pipeline: Restart up to 1 times"


def test_its_options_are_checked() -> None:
    with pytest.raises(ValidationErrors) as caught:
        Restart(times=0, restart_on="nothing")  # type: ignore[arg-type]
    assert {problem["field"] for problem in caught.value.errors} == {"times", "restart_on"}


async def test_a_function_that_says_so_yields_items_and_resets() -> None:
    """The guarded function's own type tells consumers what to expect."""

    @Pipeline(Restart())
    async def letters() -> AsyncIterator[str | Reset]:
        yield "a"

    async for item in letters():
        assert_type(item, str | Reset)


class Counting:
    """Counts to ten, from what was delivered on, and breaks as a script says."""

    def __init__(self, breaks: Sequence[int]) -> None:
        self.breaks = list(breaks)

    async def stream(self, *, delivered: Sequence[int] = ()) -> AsyncGenerator[int, None]:
        left = self.breaks.pop(0) if self.breaks else 10
        for number in range(len(delivered), 10):
            if left == 0:
                raise NetworkError(reason="cut")
            left -= 1
            yield number


@given(
    st.permutations([Restart(times=2), Restart(), Resume(), Retry(attempts=2, initial_delay=0)]),
    st.lists(st.integers(0, 4), max_size=20),
)
@settings(deadline=None)
async def test_in_any_order_with_resume_and_retry_a_consumer_has_a_beginning(
    strategies: list[Strategy], breaks: list[int]
) -> None:
    """Whoever discards what is void has, at any moment, the first so many numbers."""
    source = Counting(breaks)
    received: list[int] = []
    failure: StormproofError | None = None
    try:
        async for item in Pipeline(*strategies).stream(source.stream):
            if isinstance(item, Reset):
                del received[len(received) - item.delivered :]
            else:
                received.append(item)
            assert received == list(range(len(received)))
    except StormproofError as error:
        failure = error
    if isinstance(failure, PartialOutput):
        assert failure.delivered == tuple(received)
    else:
        assert len(received) == (0 if failure else 10)
