"""A broken stream goes on from what was delivered: nothing repeated, nothing lost."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import (
    CircuitOpen,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    PartialOutputFinal,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Event,
    Pipeline,
    Resume,
    StreamResumed,
    subscribe,
)
from stormproof.testing import FakeClock, Scripted


class Counting:
    """A source that counts to ``end`` and breaks when ``breaks`` says so."""

    def __init__(self, end: int, breaks: Sequence[int]) -> None:
        self.end = end
        self.breaks = list(breaks)
        self.asked: list[int] = []

    async def stream(self, *, delivered: Sequence[int] = ()) -> AsyncGenerator[int, None]:
        """Yield the numbers after those delivered; break after as many items as the script has."""
        self.asked.append(len(delivered))
        left = self.breaks.pop(0) if self.breaks else self.end
        for number in range(len(delivered), self.end):
            if left == 0:
                raise NetworkError(reason="cut")
            left -= 1
            yield number


async def keep(items: AsyncGenerator[Any, None], received: list[Any]) -> None:
    """Put what arrives where it stays when the stream breaks."""
    async with aclosing(items) as stream:
        async for item in stream:
            received.append(item)  # noqa: PERF401 - extend would lose what came before a break


async def collect(items: AsyncGenerator[Any, None]) -> list[Any]:
    received: list[Any] = []
    await keep(items, received)
    return received


@given(st.integers(0, 30), st.lists(st.integers(0, 5), max_size=40))
async def test_what_arrives_is_the_whole_stream_or_its_beginning(
    end: int, breaks: list[int]
) -> None:
    """Without a retry inside, it ends early at most where a continuation brings nothing."""
    source = Counting(end, breaks)
    received: list[int] = []
    try:
        await keep(Pipeline(Resume()).stream(source.stream), received)
    except StormproofError:
        assert source.asked[-1] == len(received)
    else:
        assert len(received) == end
    assert received == list(range(len(received)))


async def test_it_works_as_a_decorator_with_a_name_of_its_own(clock: FakeClock) -> None:
    """The parameter is the function's; its other arguments come again as they were."""
    asked: list[tuple[str, tuple[str, ...]]] = []

    @Pipeline(Resume(parameter="so_far"))
    async def spell(word: str, *, so_far: tuple[str, ...] = ()) -> AsyncGenerator[str, None]:
        asked.append((word, so_far))
        for number, letter in enumerate(word[len(so_far) :]):
            if number == 2:
                raise NetworkError(reason="cut")
            yield letter

    assert "".join([letter async for letter in spell("storm")]) == "storm"
    assert asked == [("storm", ()), ("storm", ("s", "t")), ("storm", ("s", "t", "o", "r"))]


async def test_what_the_caller_must_change_is_not_resumed(clock: FakeClock) -> None:
    """An error that says it will come again is passed on, and what was delivered stands."""
    source = Scripted(["a", InvalidRequest(reason="no")])
    with pytest.raises(PartialOutputFinal) as raised:
        await collect(Pipeline(Resume()).stream(source.stream))
    assert raised.value.delivered == ("a",)
    assert isinstance(raised.value.__cause__, InvalidRequest)
    assert len(source.calls) == 1


async def test_the_breaker_inside_counts_each_cut(clock: FakeClock) -> None:
    """A source that keeps breaking opens its circuit, and then the stream ends."""
    source = Counting(100, [1, 1, 1, 1, 1, 1])
    breaker = CircuitBreaker("source", opens_on=ConsecutiveFailures(3))
    with pytest.raises(PartialOutput) as raised:
        await collect(Pipeline(Resume(), breaker).stream(source.stream))
    assert raised.value.delivered == (0, 1, 2)
    assert isinstance(raised.value.__cause__, CircuitOpen)
    assert raised.value.retry_after == 60


async def test_a_deadline_outside_ends_it(clock: FakeClock) -> None:
    """Resuming takes no time of its own, and gets none beyond the deadline."""
    source = Counting(50, [1] * 50)
    pipeline = Pipeline(Deadline(10), Resume())
    assert await collect(pipeline.stream(source.stream)) == list(range(50))


async def test_it_resumes_so_many_times_where_that_was_said(clock: FakeClock) -> None:
    """The break after the last time is for whoever is outside."""
    source = Counting(10, [2, 2, 2, 2])
    with pytest.raises(PartialOutput) as raised:
        await collect(Pipeline(Resume(times=2)).stream(source.stream))
    assert raised.value.delivered == (0, 1, 2, 3, 4, 5)
    assert source.asked == [0, 2, 4]


async def test_a_caller_who_has_something_already_is_sent_the_rest(clock: FakeClock) -> None:
    """A stream that broke for good is gone on with later, and resumed on the way."""
    source = Counting(10, [3, 0, 2, 1])
    pipeline = Pipeline(Resume())
    with pytest.raises(PartialOutput) as raised:
        await collect(pipeline.stream(source.stream))
    first = raised.value.delivered
    rest = await collect(pipeline.stream(source.stream, delivered=first))
    assert [*first, *rest] == list(range(10))
    assert source.asked == [0, 3, 3, 5, 6]


async def test_a_caller_who_has_nothing_may_say_so() -> None:
    """Some functions take None for no items."""

    async def count(*, delivered: Sequence[int] | None = None) -> AsyncGenerator[int, None]:
        for number in range(len(delivered or ()), 4):
            yield number
            if number == 1 and not delivered:
                raise NetworkError(reason="cut")

    assert await collect(Pipeline(Resume()).stream(count, delivered=None)) == [0, 1, 2, 3]


async def test_what_closing_brings_up_is_not_resumed() -> None:
    """A consumer who leaves gets no more items, however badly its source ends."""
    calls: list[object] = []

    async def source(*, delivered: Sequence[int] = ()) -> AsyncGenerator[int, None]:
        calls.append(delivered)
        try:
            yield 1
            yield 2
        finally:
            raise NetworkError(reason="cut")

    items = Pipeline(Resume()).stream(source)
    assert await anext(items) == 1
    with pytest.raises(NetworkError):
        await items.aclose()
    assert calls == [()]


async def test_each_resumption_is_told() -> None:
    """With how much had been delivered, and why it was needed."""
    told: list[Event] = []
    unsubscribe = subscribe(told.append)
    try:
        await collect(Pipeline(Resume(), name="count").stream(Counting(3, [2]).stream))
    finally:
        unsubscribe()
    [event] = told
    assert isinstance(event, StreamResumed)
    assert (event.pipeline, event.strategy, event.delivered) == ("count", "resume", 2)
    assert isinstance(event.error, NetworkError)


async def test_calls_and_coroutines_pass_through() -> None:
    """They deliver nothing before their end: there is nothing to resume."""
    pipeline = Pipeline(Resume())
    assert pipeline.call(lambda: 1) == 1
    assert await pipeline.acall(Scripted(2).acall) == 2
    assert str(pipeline) == "pipeline: Resume"


def test_its_options_are_checked() -> None:
    """All problems at once."""
    with pytest.raises(ValidationErrors) as caught:
        Resume(parameter="not a name", times=0, resume_on="nothing")  # type: ignore[arg-type]
    told = {problem["field"] for problem in caught.value.errors}
    assert told == {"parameter", "times", "resume_on"}


async def test_a_function_that_cannot_be_told_what_was_delivered_is_refused_at_once() -> None:
    """At its first break it would hide what broke the stream."""

    async def deaf(question: str) -> AsyncGenerator[str, None]:
        yield question

    async def hears_all(**given: Any) -> AsyncGenerator[Any, None]:
        yield given

    with pytest.raises(TypeError, match="deaf must take what was delivered as 'delivered'"):
        Pipeline(Resume())(deaf)
    assert [item async for item in Pipeline(Resume())(hears_all)()] == [{}]


def test_what_was_delivered_is_told_by_name() -> None:
    async def by_position(delivered: tuple[str, ...] = (), /) -> AsyncGenerator[str, None]:
        yield from_start(delivered)

    async def collected(*delivered: str) -> AsyncGenerator[str, None]:
        yield from_start(delivered)

    def from_start(delivered: tuple[str, ...]) -> str:
        return str(len(delivered))

    for fn in (by_position, collected):
        with pytest.raises(TypeError, match="must take what was delivered as 'delivered'"):
            Pipeline(Resume())(fn)


async def test_what_broke_a_stream_that_cannot_be_resumed_is_told(clock: FakeClock) -> None:
    cut = NetworkError(reason="cut")

    async def deaf() -> AsyncGenerator[str, None]:
        yield "a"
        raise cut

    with pytest.raises(PartialOutput) as caught:
        [item async for item in Pipeline(Resume()).stream(deaf)]
    cause = caught.value.__cause__
    assert isinstance(cause, TypeError)
    assert str(cause) == "deaf must take what was delivered as 'delivered'"
    assert cause.__context__ is cut


def test_its_parameter_is_text() -> None:
    with pytest.raises(ValidationErrors):
        Resume(parameter=None)  # type: ignore[arg-type]
