"""An ordered list of strategies around one function."""

import asyncio
import functools
import inspect
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from stormproof.errors import NetworkError
from stormproof.recovery import (
    CircuitBreaker,
    Deadline,
    Event,
    Fallback,
    Pipeline,
    Retry,
    RetryScheduled,
)
from stormproof.testing import FakeClock, Scripted

CUT = NetworkError(reason="cut")


def test_it_prints_as_one_line_outermost_first() -> None:
    pipeline = Pipeline(
        Fallback(value="sorry"), Deadline(30), Retry(), CircuitBreaker("openai"), name="ask"
    )
    assert repr(pipeline) == (
        "ask: Fallback to value > Deadline 30s > Retry 3 attempts 0.1s x2 to 10s"
        " > CircuitBreaker openai at 5 failures in a row for 60s"
    )
    assert repr(Pipeline()) == "pipeline: unguarded"


def test_the_first_strategy_sees_only_what_the_others_could_not_recover(
    clock: FakeClock, heard: list[Event]
) -> None:
    assert Pipeline(Fallback(value="sorry"), Retry()).call(Scripted(CUT)) == "sorry"
    assert [type(event).__name__ for event in heard] == [
        *["AttemptFailed", "RetryScheduled"] * 2,
        *["AttemptFailed", "RetryGaveUp", "FallbackUsed"],
    ]


def test_it_cannot_be_changed() -> None:
    pipeline = Pipeline(Retry())
    for name in ("strategies", "name"):
        with pytest.raises(AttributeError):
            setattr(pipeline, name, ())


@pytest.mark.parametrize("wrong", [Retry, print, None], ids=repr)
def test_it_is_made_of_strategies(wrong: object) -> None:
    with pytest.raises(TypeError):
        Pipeline(wrong)  # type: ignore[arg-type]


def test_a_decorated_function_keeps_its_identity() -> None:
    def greet(name: str) -> str:
        """Say hello."""
        return f"hello {name}"

    guarded = Pipeline(Retry(), Deadline(1))(greet)
    assert (guarded.__name__, guarded.__doc__) == ("greet", "Say hello.")
    assert inspect.signature(guarded) == inspect.signature(greet)
    assert guarded("you") == "hello you"


def test_a_decorated_function_gives_events_its_name(clock: FakeClock, heard: list[Event]) -> None:
    calls = iter([True, False])

    @Pipeline(Retry())
    def fetch() -> None:
        if next(calls):
            raise CUT

    fetch()
    assert {event.pipeline for event in heard} == {"fetch"}
    assert any(isinstance(event, RetryScheduled) for event in heard)


async def test_a_decorated_function_stays_of_its_kind() -> None:
    @Pipeline(Retry(), Fallback(value=0), Deadline(1), CircuitBreaker("d"))
    async def one() -> int:
        return 1

    @Pipeline(Retry(), Fallback(value=0), Deadline(1), CircuitBreaker("d"))
    async def several() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    assert inspect.iscoroutinefunction(one)
    assert inspect.isasyncgenfunction(several)
    assert await one() == 1
    assert [item async for item in several()] == [1, 2]


async def test_methods_and_callable_objects_are_guarded(clock: FakeClock) -> None:
    class Client:
        def __init__(self) -> None:
            self.fetch = Scripted(CUT, "answer")

        @Pipeline(Retry())
        def get(self, path: str) -> object:
            return self.fetch(path)

    class AsyncClient:
        async def __call__(self) -> object:
            return "answer"

    assert Client().get("/") == "answer"
    guarded = Pipeline(Retry())(AsyncClient())
    assert inspect.iscoroutinefunction(guarded)
    assert await guarded() == "answer"


async def test_a_partial_of_a_coroutine_function_is_one(clock: FakeClock) -> None:
    fetch = Scripted(CUT, "answer")
    guarded = Pipeline(Retry())(functools.partial(fetch.acall, "question"))
    assert await guarded() == "answer"
    assert fetch.calls == [(("question",), {})] * 2


def test_a_generator_function_is_refused() -> None:
    """To call it again would yield again what was yielded."""

    def several() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        Pipeline(Retry())(several)


def test_a_coroutine_function_given_to_call_is_refused() -> None:
    """Its coroutine would leave the pipeline unguarded."""
    with pytest.raises(TypeError, match="acall"):
        _ = Pipeline(Retry()).call(Scripted("answer").acall)


def test_without_strategies_a_function_is_itself() -> None:
    assert Pipeline()(print) is print
    assert Pipeline().call(Scripted("answer")) == "answer"


def test_a_function_may_have_any_argument_names() -> None:
    def echo(fn: int, self: int, call: int) -> tuple[int, int, int]:
        return fn, self, call

    assert Pipeline(Retry()).call(echo, fn=1, self=2, call=3) == (1, 2, 3)


async def test_one_pipeline_guards_calls_that_overlap(clock: FakeClock) -> None:
    """What a retry counts belongs to one call."""
    pipeline = Pipeline(Retry())
    scripts = [Scripted(CUT, CUT, number) for number in range(5)]
    answers = await asyncio.gather(*(pipeline.acall(script.acall) for script in scripts))
    assert answers == list(range(5))
    assert sorted(clock.slept) == [0.1] * 5 + [0.2] * 5


def test_importing_it_does_not_import_asyncio() -> None:
    """The ground floors are quick to import, and sync programs never pay for asyncio."""
    code = """
import sys
from stormproof.recovery import CircuitBreaker, Deadline, Fallback, Pipeline, Retry
pipeline = Pipeline(Fallback(value=1), Deadline(1), Retry(), CircuitBreaker("d"))
pipeline.call(int)
print(sorted({"asyncio", "concurrent"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


async def test_a_callable_object_is_what_its_class_inherits(clock: FakeClock) -> None:
    class Model:
        asked = 0

        async def __call__(self) -> str:
            self.asked += 1
            if self.asked == 1:
                raise CUT
            return "answer"

    class Fast(Model):
        pass

    assert await Pipeline(Retry())(Fast())() == "answer"
    assert len(clock.slept) == 1


async def test_a_coroutine_function_given_to_stream_is_refused() -> None:
    async def answer() -> str:
        return "answer"

    with pytest.raises(TypeError, match="coroutine function"):
        await anext(Pipeline(Retry()).stream(answer))  # type: ignore[arg-type]


async def test_a_stream_that_is_left_closes_what_iterates_over_its_source() -> None:
    closed: list[str] = []

    class Completion:
        async def __aiter__(self) -> AsyncGenerator[str, None]:
            try:
                yield "a"
                yield "b"
            finally:
                closed.append("source")

    source: Any = Completion
    stream = Pipeline().stream(source)
    assert await anext(stream) == "a"
    await stream.aclose()
    assert closed == ["source"]


def test_what_it_cannot_guard_is_refused_at_once() -> None:
    """An async generator that call() returned would be guarded by nothing."""

    async def stream() -> AsyncGenerator[int, None]:
        yield 1

    pipeline = Pipeline(Retry())
    with pytest.raises(TypeError, match=r"stream\(\) guards those"):
        pipeline.call(stream)
    with pytest.raises(TypeError, match="guards functions, not 5"):
        pipeline(5)  # type: ignore[arg-type]
