"""Asserting that a call gets its answer although its dependency fails at first."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from stormproof.recovery import Event, Pipeline, subscribe
from stormproof.recovery.clock import current_clock
from stormproof.recovery.retries.attempts import describe
from stormproof.testing.fake_clock import FakeClock
from stormproof.testing.scripted import Scripted

_THE_ANSWER: Final = object()


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How a call recovered.

    Attributes:
        result: What the caller got; a list of the items of a stream.
        calls: How often the dependency was called.
        seconds: How long it took on the clock, waits and all, to the microsecond.
        events: What the strategies did, in order.
    """

    result: Any
    calls: int
    seconds: float
    events: tuple[Event, ...]


Guarded: TypeAlias = Pipeline | Callable[[Any], Any]
"""A pipeline, or a function that is given the dependency and calls it, guarded in some way."""


def assert_recovers(
    guarded: Guarded,
    *failures: object,
    answer: object = "answer",
    expected: object = _THE_ANSWER,
    within: float | None = None,
) -> Recovery:
    """Call a dependency that fails, and then answers; assert that its answer arrives.

    ```python
    recovery = assert_recovers(pipeline, NetworkError(reason="cut"), within=1.0)
    assert recovery.calls == 2
    ```

    It takes no time: the fake clock in force counts it, or one of its own, on which every wait
    is the longest that its jitter allows. What ``guarded`` keeps, such as the state of a
    circuit, is its own afterwards too.

    Args:
        guarded: The pipeline. Or a function that takes the dependency, has it called by whatever
            is guarded already, and returns what comes of it.
        failures: What the dependency does on its first calls, one after the other, as in
            ``Scripted``; at least one.
        answer: What it returns from then on.
        expected: What the caller must get, where that is not ``answer``: that of a fallback.
        within: Seconds that it may take.

    Returns:
        What happened, for further assertions.

    Raises:
        AssertionError: Something else came, an error came, or it came too late. The message has
            all that happened, the error is the cause.
    """
    drill = _Drill(guarded, failures, answer)
    call = guarded.call if isinstance(guarded, Pipeline) else guarded
    with drill.observed():
        result = call(drill.dependency)
    return drill.recovery(result, answer if expected is _THE_ANSWER else expected, within)


async def aassert_recovers(
    guarded: Guarded,
    *failures: object,
    answer: object = "answer",
    expected: object = _THE_ANSWER,
    within: float | None = None,
) -> Recovery:
    """As ``assert_recovers``, for a coroutine function.

    Args:
        guarded: The pipeline. Or a function that takes the dependency, a coroutine function.
        failures: What the dependency does on its first calls.
        answer: What it returns from then on.
        expected: What the caller must get, where that is not ``answer``.
        within: Seconds that it may take.

    Raises:
        AssertionError: Something else came, an error came, or it came too late.
    """
    drill = _Drill(guarded, failures, answer)
    call: Callable[[Any], Awaitable[Any]]
    call = guarded.acall if isinstance(guarded, Pipeline) else guarded
    with drill.observed():
        result = await call(drill.dependency.acall)
    return drill.recovery(result, answer if expected is _THE_ANSWER else expected, within)


async def assert_stream_recovers(
    guarded: Guarded,
    *failures: object,
    answer: Iterable[object] = ("answer",),
    expected: Iterable[object] | None = None,
    within: float | None = None,
) -> Recovery:
    """As ``assert_recovers``, for an async generator function.

    Args:
        guarded: The pipeline. Or a function that takes the dependency, an async generator
            function, and returns a stream.
        failures: What the dependency does on its first calls; a list is a stream, whose elements
            are items, or failures after them.
        answer: The items that it yields from then on.
        expected: The items that the consumer must get, where those are not ``answer``.
        within: Seconds that it may take.

    Raises:
        AssertionError: Something else came, an error came, or it came too late.
    """
    items = list(answer)
    drill = _Drill(guarded, failures, items)
    stream: Callable[[Any], AsyncIterator[Any]]
    stream = guarded.stream if isinstance(guarded, Pipeline) else guarded
    with drill.observed():
        result = [item async for item in stream(drill.dependency.stream)]
    return drill.recovery(result, items if expected is None else list(expected), within)


class _Drill:
    """One call of a dependency that fails, and what was heard meanwhile."""

    def __init__(self, guarded: Guarded, failures: tuple[object, ...], answer: object) -> None:
        if not failures:
            raise TypeError("a recovery needs at least one failure")
        self._guarded: Final = guarded
        self._failures: Final = failures
        self._told: Final[list[tuple[float, Event]]] = []
        self.dependency: Final = Scripted(*failures, answer)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Make the call inside: nobody waits, and every event is heard."""
        in_force = current_clock()
        with (
            nullcontext(in_force)
            if isinstance(in_force, FakeClock)
            else FakeClock(random=lambda: 1.0)
        ) as self._clock:
            self._begun = self._clock.now()
            unsubscribe = subscribe(self._hear)
            try:
                yield
            except Exception as error:
                raise self._failure(f"it raised {describe(error)}") from error
            finally:
                unsubscribe()

    def recovery(self, result: object, expected: object, within: float | None) -> Recovery:
        """Return what happened, if that is a recovery."""
        if not self.dependency.calls:
            raise self._failure("it never called its dependency")
        if result != expected:
            raise self._failure(f"it gave {result!r}, not {expected!r}")
        seconds = self._seconds()
        if within is not None and seconds > within:
            raise self._failure(f"it took longer than {within:g} s")
        return Recovery(
            result=result,
            calls=len(self.dependency.calls),
            seconds=seconds,
            events=tuple(event for _, event in self._told),
        )

    def _hear(self, event: Event) -> None:
        if current_clock() is self._clock:  # others may be at work in this process
            self._told.append((self._seconds(), event))

    def _seconds(self) -> float:
        return round(self._clock.now() - self._begun, 6)  # a tenth added up is a little more

    def _failure(self, why: str) -> AssertionError:
        failures = ", ".join(map(repr, self._failures))
        spent = f"{len(self.dependency.calls)} calls, {self._seconds():.3f} s"
        story = "".join(f"\n{at:9.3f} s  {_line(event)}" for at, event in self._told)
        return AssertionError(
            f"no recovery from {failures}: {why} ({spent})\n{self._guarded!r}{story}"
        )


def _line(event: Event) -> str:
    told = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    told.pop("pipeline")
    shown = (
        f"{name}={describe(value) if isinstance(value, BaseException) else value}"
        for name, value in told.items()
    )
    return f"{type(event).__name__} {' '.join(shown)}"
