"""A stream that breaks for good after its first item tells what its consumer has."""

import gc
import weakref
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from pydantic_core import PydanticOmit

from stormproof.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    PartialOutputFinal,
    RateLimitExceeded,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Event,
    Fallback,
    IdleTimeout,
    Pipeline,
    Reset,
    Restart,
    Resume,
    Retry,
    RetryGaveUp,
    Strategy,
    attempts,
)
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")


async def collect(items: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in items]


async def broken(items: AsyncGenerator[Any, None]) -> PartialOutput:
    """Return what ends a stream that is known to break after its first item."""
    with pytest.raises(PartialOutput) as raised:
        await collect(items)
    return raised.value


@pytest.mark.parametrize("pipeline", [Pipeline(), Pipeline(Retry()), Pipeline(Retry(), Retry())])
async def test_any_pipeline_tells_whatever_its_strategies(
    clock: FakeClock, pipeline: Pipeline
) -> None:
    error = await broken(pipeline.stream(Scripted(["a", "b", CUT]).stream))
    assert (error.count, error.delivered) == (2, ("a", "b"))
    assert error.__cause__ is CUT


async def test_a_decorated_function_is_named_in_the_error() -> None:
    @Pipeline()
    async def tokens() -> AsyncGenerator[str, None]:
        yield "a"
        raise CUT

    assert (await broken(tokens())).operation == "tokens"


async def test_before_the_first_item_a_failure_is_as_it_was_raised() -> None:
    with pytest.raises(NetworkError) as raised:
        await collect(Pipeline().stream(Scripted([CUT]).stream))
    assert raised.value is CUT


async def test_the_first_items_are_kept_and_all_are_counted() -> None:
    """Memory is bounded; what is kept is a beginning that somebody can go on from."""
    source = Scripted([*range(100), CUT])
    error = await broken(Pipeline(keeps=3).stream(source.stream))
    assert (error.count, error.delivered) == (100, (0, 1, 2))
    assert (await broken(Pipeline(keeps=0).stream(source.stream))).delivered == ()


@pytest.mark.parametrize("keeps", [-1, 1.5, True, "all"])
def test_how_many_are_kept_is_checked(keeps: Any) -> None:
    with pytest.raises(ValidationErrors):
        Pipeline(keeps=keeps)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (CUT, PartialOutput),
        (RateLimitExceeded(retry_after=3), PartialOutput),
        (ConnectionResetError("cut"), PartialOutput),
        (ExceptionGroup("two", [CUT, RateLimitExceeded(retry_after=3)]), PartialOutput),
        (InvalidRequest(reason="no"), PartialOutputFinal),
        (TypeError("a bug"), PartialOutputFinal),
        (ExceptionGroup("two", [CUT, TypeError("a bug")]), PartialOutputFinal),
    ],
    ids=repr,
)
async def test_whether_it_may_pass_is_what_the_cause_says(
    cause: Exception, kind: type[PartialOutput]
) -> None:
    error = await broken(Pipeline().stream(Scripted(["a", cause]).stream))
    assert type(error) is kind
    assert error.__cause__ is cause


async def test_the_wait_that_the_cause_asks_for_is_asked_for() -> None:
    source = Scripted(["a", RateLimitExceeded(retry_after=3)])
    assert (await broken(Pipeline().stream(source.stream))).retry_after == 3


async def test_a_passed_deadline_is_the_cause(clock: FakeClock) -> None:
    source = Scripted(["a", Takes(60, "b")])
    error = await broken(Pipeline(Deadline(9)).stream(source.stream))
    assert error.delivered == ("a",)
    assert isinstance(error.__cause__, DeadlineExceeded)


class Item:
    """Something that can be looked after."""


@pytest.mark.parametrize(
    "strategy",
    [Retry(), Restart(), Resume(), Deadline(9), IdleTimeout(9), CircuitBreaker("d")],
    ids=str,
)
async def test_what_was_delivered_is_let_go_of_with_the_error(strategy: Strategy) -> None:
    """At once, and not when the garbage collector next comes round."""
    watched: list[weakref.ref[Item]] = []

    async def source(*, delivered: Sequence[Item] = ()) -> AsyncGenerator[Item, None]:
        if not delivered:
            watched.append(weakref.ref(item := Item()))
            yield item
            del item
        raise NetworkError(reason="cut")

    gc.disable()
    try:
        with suppress(PartialOutput, NetworkError):
            await collect(Pipeline(strategy).stream(source))
        assert watched
        assert not any(item() for item in watched)
    finally:
        gc.enable()


@pytest.mark.parametrize("passing", [KeyboardInterrupt(), CancelledError(), PydanticOmit()])
async def test_control_flow_passes_as_it_is(passing: BaseException) -> None:
    items = Pipeline().stream(Scripted(["a", passing]).stream)
    assert await anext(items) == "a"
    with pytest.raises(type(passing)) as raised:
        await anext(items)
    assert raised.value is passing


async def test_what_a_consumer_throws_in_comes_back_to_it() -> None:
    items = Pipeline(Retry()).stream(Scripted(["a", "b"]).stream)
    assert await anext(items) == "a"
    with pytest.raises(NetworkError) as raised:
        await items.athrow(CUT)
    assert raised.value is CUT


async def test_what_a_reset_voids_is_not_told_of() -> None:
    """A source may begin again by itself, and say so."""
    void = Reset(delivered=2, error=CUT)
    error = await broken(Pipeline().stream(Scripted(["a", "b", void, "c", CUT]).stream))
    assert (error.count, error.delivered) == (1, ("c",))
    with pytest.raises(NetworkError) as raised:
        await collect(Pipeline().stream(Scripted(["a", void, CUT]).stream))
    assert raised.value is CUT


class TestAroundAnotherPipeline:
    """A stream that reads from a guarded stream, and a coroutine that collects one."""

    async def test_the_outer_error_tells_of_its_own_items_and_of_the_first_cause(self) -> None:
        async def pairs() -> AsyncGenerator[str, None]:
            source = Scripted(["a", "b", "c", CUT])
            async for item in Pipeline(name="inner").stream(source.stream):
                yield item * 2

        error = await broken(Pipeline(name="outer").stream(pairs))
        assert (error.operation, error.delivered) == ("outer", ("aa", "bb", "cc"))
        assert error.__cause__ is CUT

    async def test_a_stream_that_kept_everything_to_itself_passes_the_inner_error_on(self) -> None:
        async def total() -> AsyncGenerator[int, None]:
            source = Scripted([1, 2, CUT])
            yield sum([item async for item in Pipeline(name="inner").stream(source.stream)])

        error = await broken(Pipeline(name="outer").stream(total))
        assert (error.operation, error.delivered) == ("inner", (1, 2))

    @pytest.mark.parametrize(
        ("cause", "calls"), [(CUT, 3), (InvalidRequest(reason="no"), 1), (TypeError("a bug"), 1)]
    )
    async def test_a_retry_around_the_collecting_does_as_the_cause_says(
        self, clock: FakeClock, cause: Exception, calls: int
    ) -> None:
        source = Scripted(["a", cause])
        stream = Pipeline(CircuitBreaker("d"))
        with pytest.raises(PartialOutput):
            await Pipeline(Retry()).acall(lambda: collect(stream.stream(source.stream)))
        assert len(source.calls) == calls

    @pytest.mark.parametrize(
        ("retry_on", "calls"), [(NetworkError, 2), (PartialOutput, 2), (ValueError, 1)]
    )
    async def test_a_filter_by_class_selects_by_the_cause_too(
        self, retry_on: type[Exception], calls: int
    ) -> None:
        source = Scripted(["a", CUT])
        retry = Retry(attempts=2, initial_delay=0, retry_on=retry_on)
        with pytest.raises(PartialOutput):
            await Pipeline(retry).acall(lambda: collect(Pipeline().stream(source.stream)))
        assert len(source.calls) == calls

    async def test_a_retry_further_in_that_gave_up_counts_as_for_any_error(
        self, clock: FakeClock, heard: list[Event]
    ) -> None:
        """Three attempts, not nine; and the record of them is found behind the error."""

        async def after_one(fetch: Scripted) -> AsyncGenerator[str, None]:
            yield "a"
            await Pipeline(Retry()).acall(fetch.acall)

        fetch = Scripted(CUT)
        stream = Pipeline(name="stream")
        with pytest.raises(PartialOutput) as raised:
            await Pipeline(Retry()).acall(lambda: collect(stream.stream(after_one, fetch)))
        assert len(fetch.calls) == 3
        assert len(attempts(raised.value)) == 3
        assert [type(event) for event in heard].count(RetryGaveUp) == 1

    async def test_a_breaker_around_the_collecting_counts_as_for_the_cause(self) -> None:
        """What the caller must change is no failure of the dependency."""
        breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1))
        source = Scripted(["a", InvalidRequest(reason="no")], ["a", CUT])
        for _ in range(2):
            with pytest.raises(PartialOutput):
                await Pipeline(breaker).acall(lambda: collect(Pipeline().stream(source.stream)))
        assert len(source.calls) == 2
        assert breaker.state.value == "open"

    async def test_a_fallback_around_the_collecting_answers(self) -> None:
        source = Scripted(["a", CUT])
        answering = Pipeline(Fallback(value=["sorry"]))
        answer = await answering.acall(lambda: collect(Pipeline().stream(source.stream)))
        assert answer == ["sorry"]


def test_a_partial_output_without_a_cause_is_judged_by_itself() -> None:
    """One that came from another process may have lost it."""
    pipeline = Pipeline(Retry(attempts=2, initial_delay=0))
    for error, calls in ((PartialOutput(count=1), 2), (PartialOutputFinal(count=1), 1)):
        source = Scripted(error)
        with pytest.raises(StormproofError):
            pipeline.call(source)
        assert len(source.calls) == calls
