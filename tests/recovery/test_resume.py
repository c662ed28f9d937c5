"""A broken stream goes on from what was delivered: nothing repeated, nothing lost."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidRequest, NetworkError, ValidationErrors
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Event,
    Pipeline,
    Resume,
    Retry,
    StreamResumed,
    subscribe,
)
from stormproof.testing import FakeClock, Scripted

CUT = NetworkError(reason="cut")


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


async def test_a_thousand_tokens_survive_any_number_of_cuts(clock: FakeClock) -> None:
    """A source that breaks at random points still delivers exactly the thousand."""
    rng = random.Random(3)
    source = Counting(1000, [rng.randint(0, 40) for _ in range(200)])
    pipeline = Pipeline(Resume(), Retry(attempts=100))
    assert await collect(pipeline.stream(source.stream)) == list(range(1000))
    assert len(source.asked) > 40


@given(st.integers(0, 30), st.lists(st.integers(0, 5), max_size=40))
async def test_what_arrives_is_the_whole_stream_or_its_beginning(
    end: int, breaks: list[int]
) -> None:
    """Without a retry inside, it ends early at most where a continuation brings nothing."""
    source = Counting(end, breaks)
    received: list[int] = []
    try:
        await keep(Pipeline(Resume()).stream(source.stream), received)
    except NetworkError:
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
    received: list[str] = []
    with pytest.raises(InvalidRequest):
        await keep(Pipeline(Resume()).stream(source.stream), received)
    assert received == ["a"]
    assert len(source.calls) == 1


async def test_the_breaker_inside_counts_each_cut(clock: FakeClock) -> None:
    """A source that keeps breaking opens its circuit, and then the stream ends."""
    source = Counting(100, [1, 1, 1, 1, 1, 1])
    breaker = CircuitBreaker("source", opens_on=ConsecutiveFailures(3))
    stream = Pipeline(Resume(), breaker).stream(source.stream)
    assert await anext(stream) == 0
    assert await anext(stream) == 1
    assert await anext(stream) == 2
    with pytest.raises(Exception, match="circuit 'source' is open"):
        await anext(stream)


async def test_a_deadline_outside_ends_it(clock: FakeClock) -> None:
    """Resuming takes no time of its own, and gets none beyond the deadline."""
    source = Counting(50, [1] * 50)
    pipeline = Pipeline(Deadline(10), Resume())
    assert await collect(pipeline.stream(source.stream)) == list(range(50))


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
        Resume(parameter="not a name", resume_on="nothing")  # type: ignore[arg-type]
    assert {problem["field"] for problem in caught.value.errors} == {"parameter", "resume_on"}
