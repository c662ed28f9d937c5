"""Async generators: what is free before the first item, and told of after it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from stormproof.errors import NetworkError, PartialOutput
from stormproof.recovery import CircuitBreaker, Deadline, Fallback, Pipeline, Retry, Strategy
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")

EVERYTHING = (Fallback(value="sorry"), Deadline(60), Retry(), CircuitBreaker("d"), Deadline(9))


async def collect(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


async def test_before_the_first_item_a_retry_is_free(clock: FakeClock) -> None:
    source = Scripted([CUT], [Takes(1, CUT)], ["a", "b"])
    assert await collect(Pipeline(Retry()).stream(source.stream, "question")) == ["a", "b"]
    assert source.calls == [(("question",), {})] * 3


async def test_before_the_first_item_a_fallback_is_free() -> None:
    backup = Scripted(["x", "y"])
    pipeline = Pipeline(Fallback(backup.stream))
    assert await collect(pipeline.stream(Scripted([CUT]).stream, 1)) == ["x", "y"]
    assert backup.calls == [((1,), {})]


async def test_a_value_is_the_only_item_of_a_stream() -> None:
    pipeline = Pipeline(Fallback(value="sorry"))
    assert await collect(pipeline.stream(Scripted([CUT]).stream)) == ["sorry"]


@pytest.mark.parametrize("strategy", EVERYTHING, ids=str)
async def test_after_an_item_a_failure_is_passed_on(clock: FakeClock, strategy: Strategy) -> None:
    """What was delivered is never repeated; the error tells of it."""
    source = Scripted(["a", CUT])
    items = Pipeline(strategy).stream(source.stream)
    assert await anext(items) == "a"
    with pytest.raises(PartialOutput) as raised:
        await anext(items)
    assert raised.value.__cause__ is CUT
    assert raised.value.delivered == ("a",)
    assert len(source.calls) == 1


async def test_an_empty_stream_is_a_success(clock: FakeClock) -> None:
    source = Scripted([])
    assert await collect(Pipeline(*EVERYTHING).stream(source.stream)) == []
    assert len(source.calls) == 1


async def test_a_stream_given_up_on_tells_of_every_attempt(clock: FakeClock) -> None:
    with pytest.raises(NetworkError) as raised:
        await collect(Pipeline(Retry(), name="ask").stream(Scripted([CUT]).stream))
    assert raised.value.__notes__[-1] == "gave up: attempts spent"


@pytest.mark.parametrize("strategies", [*[(one,) for one in EVERYTHING], EVERYTHING], ids=str)
async def test_a_stream_closed_by_its_consumer_closes_its_source(
    clock: FakeClock, strategies: tuple[Strategy, ...]
) -> None:
    closed: list[bool] = []

    async def source() -> AsyncGenerator[str, None]:
        try:
            yield "a"
            yield "b"
        finally:
            await asyncio.sleep(0)  # closing may have to wait
            closed.append(True)

    async with aclosing(Pipeline(*strategies).stream(source)) as items:
        assert await anext(items) == "a"
    assert closed == [True]


async def test_the_source_of_a_failed_attempt_is_closed_before_the_next(clock: FakeClock) -> None:
    story: list[str] = []

    async def source() -> AsyncGenerator[str, None]:
        story.append("open")
        try:
            if story.count("open") == 1:
                raise CUT
            yield "a"
        finally:
            story.append("close")

    assert await collect(Pipeline(Retry()).stream(source)) == ["a"]
    assert story == ["open", "close", "open", "close"]


async def test_cancelling_the_consumer_passes_through(clock: FakeClock) -> None:
    source = Scripted(["a", Takes(60, "b")])
    task = asyncio.create_task(collect(Pipeline(Retry()).stream(source.stream)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(source.calls) == 1


async def test_an_iterator_that_cannot_be_closed_will_do() -> None:
    class Two:
        def __init__(self) -> None:
            self.left = [2, 1]

        def __aiter__(self) -> "Two":
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    assert await collect(Pipeline(*EVERYTHING).stream(Two)) == [1, 2]


async def test_nothing_happens_before_the_first_item_is_asked_for() -> None:
    source = Scripted(["a"])
    items = Pipeline(*EVERYTHING).stream(source.stream)
    assert source.calls == []
    await items.aclose()
