"""Asking once more: when, and for streams."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from itertools import count
from random import Random

import pytest

from stormproof.errors import InvalidRequest, NetworkError, ValidationErrors
from stormproof.recovery import (
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Failover,
    Hedge,
    LatencyQuantile,
    Pipeline,
    Retry,
    RetryBudget,
    Site,
    Strategy,
    Target,
    WorkerThreads,
)
from stormproof.testing import FakeClock, Scripted, Takes


class Source:
    """Streams of three items; the nth call waits so long before its first one."""

    def __init__(self, clock: FakeClock, *waits: float) -> None:
        self._clock = clock
        self._waits = waits
        self.begun = 0
        self.ended: list[int] = []

    async def stream(self) -> AsyncGenerator[str, None]:
        self.begun += 1
        number = self.begun
        try:
            await self._clock.asleep(self._waits[min(number, len(self._waits)) - 1])
            for item in "abc":
                yield f"{item}{number}"
                await self._clock.asleep(30)  # longer than any delay
        finally:
            self.ended.append(number)


# When


async def test_nothing_is_hedged_until_enough_calls_have_succeeded(clock: FakeClock) -> None:
    hedged = Pipeline(Hedge(delay=LatencyQuantile(quantile=0.5, minimum_calls=3)))
    for _ in range(2):
        await hedged.acall(Scripted(Takes(1.0)).acall)
    with pytest.raises(NetworkError):
        await hedged.acall(Scripted(NetworkError(reason="cut"), "never").acall)
    assert await hedged.acall(Scripted(Takes(60, "first"), "second").acall) == "first"
    assert await hedged.acall(Scripted(Takes(60, "first"), "second").acall) == "second"


async def test_the_delay_is_the_quantile_of_the_latencies(clock: FakeClock) -> None:
    hedged = Pipeline(Hedge(delay=LatencyQuantile(quantile=0.9, minimum_calls=10)))
    for second in range(10):
        await hedged.acall(Scripted(Takes(second + 1)).acall)
    begun = clock.now()
    assert await hedged.acall(Scripted(Takes(60), "second").acall) == "second"
    assert clock.now() - begun == pytest.approx(9)


async def test_hedges_that_win_do_not_shrink_the_delay(clock: FakeClock) -> None:
    """A call that was overtaken was slow, though nobody knows how slow."""
    hedged = Pipeline(Hedge(delay=LatencyQuantile(quantile=0.5, minimum_calls=1)))
    await hedged.acall(Scripted(Takes(1.0)).acall)
    for _ in range(200):
        begun = clock.now()
        await hedged.acall(Scripted(Takes(60), "second").acall)
        assert clock.now() - begun >= 0.999


async def test_failures_say_nothing_about_the_latency(clock: FakeClock) -> None:
    hedged = Pipeline(Hedge(delay=LatencyQuantile(quantile=0.5, minimum_calls=1)))
    with pytest.raises(InvalidRequest):
        await hedged.acall(Scripted(InvalidRequest(reason="wrong")).acall)
    assert await hedged.acall(Scripted(Takes(9, "first"), "never").acall) == "first"
    failed_at_once = Scripted(NetworkError(reason="cut"), Takes(0.1, "second"))
    assert await hedged.acall(failed_at_once.acall) == "second"
    begun = clock.now()
    assert await hedged.acall(Scripted(Takes(60), "second").acall) == "second"
    assert clock.now() - begun == pytest.approx(9)


async def test_pipelines_that_share_a_hedge_share_its_latencies(clock: FakeClock) -> None:
    hedge = Hedge(delay=LatencyQuantile(minimum_calls=1))
    await Pipeline(hedge).acall(Scripted(Takes(1.0)).acall)
    assert await Pipeline(hedge).acall(Scripted(Takes(60), "second").acall) == "second"


async def test_it_cuts_the_tail_at_little_extra_load(clock: FakeClock) -> None:
    """One call in 25 takes 20 times as long: without a hedge the 99th percentile is 17.6 s."""
    chance = Random(7)
    calls = 0

    async def ask() -> None:
        nonlocal calls
        calls += 1
        slow = 20 if chance.random() < 0.04 else 1
        await clock.asleep(slow * chance.uniform(0.5, 1.0))

    hedged = Pipeline(Hedge(delay=LatencyQuantile(quantile=0.95)))
    took = []
    for _ in range(3000):
        begun = clock.now()
        await hedged.acall(ask)
        took.append(clock.now() - begun)
    assert sorted(took)[2969] < 2.6
    assert calls < 1.06 * 3000


# Streams


async def test_a_stream_is_hedged_until_its_first_item(clock: FakeClock) -> None:
    source = Source(clock, 60, 0.5)
    begun = clock.now()
    items = Pipeline(Hedge(delay=1.0)).stream(source.stream)
    assert await anext(items) == "a2"
    assert clock.now() - begun == pytest.approx(1.5)
    assert source.ended == [1]
    assert [item async for item in items] == ["b2", "c2"]
    assert (source.begun, source.ended) == (2, [1, 2])


async def test_a_stream_that_begins_in_time_is_asked_for_once(clock: FakeClock) -> None:
    source = Source(clock, 0.5)
    items = [item async for item in Pipeline(Hedge(delay=1.0)).stream(source.stream)]
    assert items == ["a1", "b1", "c1"]
    assert source.begun == 1


async def test_a_consumer_that_leaves_closes_the_stream_that_won(clock: FakeClock) -> None:
    source = Source(clock, 60, 0)
    async with aclosing(Pipeline(Hedge(delay=1.0)).stream(source.stream)) as items:
        async for _ in items:
            break
    assert sorted(source.ended) == [1, 2]


async def test_of_two_streams_that_begin_together_one_is_closed(clock: FakeClock) -> None:
    source = Source(clock, 2.0, 1.0)
    async with aclosing(Pipeline(Hedge(delay=1.0)).stream(source.stream)) as items:
        first = await anext(items)
        await asyncio.sleep(0)
        assert source.ended == [2 if first == "a1" else 1]


async def test_a_stream_that_resists_is_closed_in_silence(clock: FakeClock) -> None:
    begun: list[int] = []
    closed: list[int] = []

    async def stubborn() -> AsyncGenerator[int, None]:
        begun.append(1)
        number = len(begun)
        try:
            if number == 1:
                with suppress(asyncio.CancelledError):
                    await clock.asleep(60)
            yield number
            yield number
        finally:
            closed.append(number)
            if number == 1:
                raise NetworkError(reason="could not say goodbye")

    items = Pipeline(Hedge(delay=1.0)).stream(stubborn)
    assert [item async for item in items] == [2, 2]
    assert closed == [1, 2]


async def test_a_stream_that_fails_before_its_first_item_begins_anew_at_once(
    clock: FakeClock,
) -> None:
    source = Scripted([NetworkError(reason="cut")], ["a", "b"])
    items = Pipeline(Hedge(delay=1.0)).stream(source.stream)
    assert [item async for item in items] == ["a", "b"]


async def test_after_the_first_item_a_failure_is_passed_on(clock: FakeClock) -> None:
    source = Scripted(["a", NetworkError(reason="cut")])
    hedged = Hedge(delay=1.0).guard_stream(source.stream, Site("ask"))
    assert await anext(hedged()) == "a"
    items = hedged()
    assert await anext(items) == "a"
    with pytest.raises(NetworkError):
        await anext(items)
    assert len(source.calls) == 2


async def test_an_empty_stream_is_an_answer(clock: FakeClock) -> None:
    source = Scripted([])
    assert [item async for item in Pipeline(Hedge(delay=1.0)).stream(source.stream)] == []
    assert len(source.calls) == 1


async def test_who_is_cancelled_before_the_first_item_closes_all_streams(clock: FakeClock) -> None:
    source = Source(clock, 60)
    items = Pipeline(Hedge(delay=1.0, extra=2)).stream(source.stream)
    task = asyncio.create_task(anext(items))
    await clock.asleep(2.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(source.ended) == [1, 2, 3]


async def test_a_stream_that_won_is_closed_though_its_consumer_is_cancelled_twice(
    clock: FakeClock,
) -> None:
    """The second time it waits no longer for an attempt that resists."""
    began = count(1)
    closed: list[int] = []

    async def ask() -> AsyncGenerator[int, None]:
        number = next(began)
        try:
            if number == 2:
                await clock.asleep(1)
                consumer.cancel()
                yield number
            await clock.asleep(60)
        except asyncio.CancelledError:
            if number > 2:
                await clock.asleep(30)
            raise
        finally:
            closed.append(number)

    async def consume() -> None:
        async for _ in Pipeline(Hedge(delay=0.3, extra=2)).stream(ask):
            pass

    consumer = asyncio.create_task(consume())
    await clock.asleep(5)
    assert closed == [1]
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert 2 in closed


async def test_a_stream_that_won_for_a_cancelled_consumer_is_closed(clock: FakeClock) -> None:
    closed: list[int] = []
    numbers = count(1)

    async def source() -> AsyncGenerator[str, None]:
        number = next(numbers)
        try:
            if number == 1:
                await clock.asleep(60)
            consumer.cancel()
            yield "a"
        finally:
            closed.append(number)

    async def consume() -> str:
        async with aclosing(Pipeline(Hedge(delay=1.0)).stream(source)) as items:
            return await anext(items)

    consumer = asyncio.create_task(consume())
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert sorted(closed) == [1, 2]


# Beside other strategies


async def test_each_attempt_goes_through_the_breaker_inside(clock: FakeClock) -> None:
    breaker = CircuitBreaker("openai", opens_on=ConsecutiveFailures(2))
    ask = Scripted(NetworkError(reason="down"))
    with pytest.raises(NetworkError):
        await Pipeline(Hedge(delay=1.0, extra=5), breaker).acall(ask.acall)
    assert len(ask.calls) == 2
    assert breaker.state is CircuitState.OPEN


async def test_a_loser_is_no_outcome_for_the_breaker(clock: FakeClock) -> None:
    breaker = CircuitBreaker("openai", opens_on=ConsecutiveFailures(1))
    hedged = Pipeline(Hedge(delay=1.0), breaker, Deadline(30))
    assert await hedged.acall(Scripted(Takes(60), "second").acall) == "second"
    assert breaker.state is CircuitState.CLOSED


def sharing(budget: RetryBudget) -> Pipeline:
    failover = Failover(Target("primary"), Target("replica", str), budget=budget)
    hedge = Hedge(delay=1.0, budget=budget, threads=WorkerThreads(1))
    return Pipeline(failover, Retry(budget=budget), hedge)


async def test_a_budget_that_several_strategies_share_earns_once_by_each_call(
    clock: FakeClock,
) -> None:
    budget = RetryBudget(0.5, floor=0)
    assert sharing(budget).call(Scripted("answer")) == "answer"
    assert budget.balance == 0.5
    assert await sharing(budget).acall(Scripted("answer").acall) == "answer"
    assert budget.balance == 1.0
    assert [item async for item in sharing(budget).stream(Scripted(["a", "b"]).stream)] == [
        "a",
        "b",
    ]
    assert budget.balance == 1.5


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": "p95"},
        {"extra": 0},
        {"extra": 11},
        {"budget": 0.2},
        {"threads": 8},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValidationErrors):
        Hedge(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"quantile": 0},
        {"quantile": 1},
        {"quantile": "0.95"},
        {"minimum_calls": 0},
        {"minimum_calls": 129},
    ],
    ids=repr,
)
def test_the_options_of_a_quantile_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValidationErrors):
        LatencyQuantile(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hedge", "text"),
    [
        (Hedge(), "Hedge 1 more after p95"),
        (Hedge(delay=0.5, extra=2), "Hedge 2 more after 0.5s"),
        (
            Hedge(delay=1, budget=RetryBudget(), threads=WorkerThreads(8)),
            "Hedge 1 more after 1s within 20% + 2/s",
        ),
    ],
)
def test_a_hedge_prints_on_one_line(hedge: Strategy, text: str) -> None:
    assert str(hedge) == text
