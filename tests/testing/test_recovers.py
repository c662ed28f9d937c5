"""Asserting that a call gets its answer although its dependency fails at first."""

import contextvars
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from stormproof.errors import (
    CircuitOpen,
    ConnectionLost,
    DeadlineExceeded,
    NetworkError,
    RateLimitExceeded,
)
from stormproof.recovery import (
    Bulkhead,
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Fallback,
    FallbackUsed,
    Inject,
    Pipeline,
    RateLimit,
    Restart,
    Resume,
    Retry,
    RetryScheduled,
    chaos,
    subscribe,
)
from stormproof.testing import (
    FakeClock,
    Scripted,
    Takes,
    aassert_recovers,
    assert_recovers,
    assert_stream_recovers,
)

CUT = NetworkError(reason="cut")


def test_the_answer_arrives_and_what_happened_is_told() -> None:
    recovery = assert_recovers(Pipeline(Retry()), CUT, CUT)
    assert recovery.result == "answer"
    assert recovery.calls == 3
    assert recovery.seconds == pytest.approx(0.1 + 0.2)
    waits = [event.wait for event in recovery.events if isinstance(event, RetryScheduled)]
    assert waits == [0.1, 0.2]


async def test_a_coroutine_and_a_stream_recover_alike() -> None:
    for recovery in (
        await aassert_recovers(Pipeline(Retry()), CUT, CUT, answer=["a", "b"]),
        await assert_stream_recovers(Pipeline(Retry()), CUT, CUT, answer=["a", "b"]),
    ):
        assert recovery.result == ["a", "b"]
        assert recovery.calls == 3
        assert recovery.seconds == pytest.approx(0.3)
        assert len(recovery.events) == 4


@pytest.mark.parametrize(
    ("pipeline", "failures"),
    [
        (Pipeline(Retry(), CircuitBreaker("d")), [CUT]),
        (
            Pipeline(Retry(), CircuitBreaker("d", opens_on=ConsecutiveFailures(1), open_for=5)),
            [CUT],
        ),
        (Pipeline(Deadline(30), Retry()), [RateLimitExceeded(retry_after=7)]),
        (Pipeline(Retry(), Bulkhead("d", limit=1), RateLimit("d", permits=1)), [CUT, CUT]),
        (Pipeline(Retry(), Inject("d", fault=ConnectionLost)), [TimeoutError()]),
    ],
    ids=repr,
)
async def test_a_pipeline_of_any_strategies_may_recover(
    pipeline: Pipeline, failures: list[Exception]
) -> None:
    assert_recovers(pipeline, *failures)
    await aassert_recovers(pipeline, *failures)
    await assert_stream_recovers(pipeline, *failures)


async def test_a_hung_attempt_is_a_failure_too() -> None:
    pipeline = Pipeline(Deadline(10), Retry(), Deadline(1))
    recovery = await aassert_recovers(pipeline, Takes(60), within=1.1)
    assert recovery.seconds == pytest.approx(1.1)


async def test_a_stream_may_break_after_some_items() -> None:
    recovery = await assert_stream_recovers(
        Pipeline(Resume()), ["a", "b", CUT], answer=["c"], expected=["a", "b", "c"]
    )
    assert recovery.calls == 2
    with pytest.raises(AssertionError, match="PartialOutput"):
        await assert_stream_recovers(Pipeline(Retry()), ["a", CUT])


def test_a_fallback_is_a_recovery_if_its_answer_is_expected() -> None:
    pipeline = Pipeline(Fallback(value=None))
    recovery = assert_recovers(pipeline, CUT, expected=None)
    assert isinstance(recovery.events[-1], FallbackUsed)
    with pytest.raises(AssertionError, match="it gave None, not 'answer'"):
        assert_recovers(pipeline, CUT)


class TestNoRecovery:
    """An AssertionError says what happened."""

    def test_an_error_is_its_cause_and_every_event_is_told(self) -> None:
        pipeline = Pipeline(Retry(attempts=2), name="asking")
        with pytest.raises(AssertionError) as raised:
            assert_recovers(pipeline, CUT, CUT)
        assert raised.value.__cause__ is CUT
        error = "error=NetworkError: network error: cut"
        why, what, *told = str(raised.value).splitlines()
        assert why == (
            "no recovery from NetworkError(reason='cut'), NetworkError(reason='cut'): "
            "it raised NetworkError: network error: cut (2 calls, 0.100 s)"
        )
        assert what == "asking: Retry 2 attempts 0.1s x2 to 10s"
        assert told == [
            f"    0.000 s  AttemptFailed strategy=retry attempt=1 {error}",
            f"    0.000 s  RetryScheduled strategy=retry attempt=2 wait=0.1 {error}",
            f"    0.100 s  AttemptFailed strategy=retry attempt=2 {error}",
            f"    0.100 s  RetryGaveUp strategy=retry attempts=2 {error} reason=attempts_spent",
        ]

    async def test_a_coroutine_and_a_stream_alike(self) -> None:
        for attempt in (aassert_recovers, assert_stream_recovers):
            with pytest.raises(AssertionError) as raised:
                await attempt(Pipeline(), TimeoutError("late"))
            assert isinstance(raised.value.__cause__, TimeoutError)
            assert "it raised TimeoutError: late (1 calls, 0.000 s)" in str(raised.value)

    def test_an_answer_that_comes_too_late(self) -> None:
        pipeline = Pipeline(Retry())
        assert_recovers(pipeline, RateLimitExceeded(retry_after=5), within=5)
        with pytest.raises(AssertionError, match=r"it took longer than 4\.9 s"):
            assert_recovers(pipeline, RateLimitExceeded(retry_after=5), within=4.9)

    def test_a_deadline_that_passes(self) -> None:
        with pytest.raises(AssertionError, match="it raised RateLimitExceeded") as raised:
            assert_recovers(Pipeline(Deadline(1), Retry()), RateLimitExceeded(retry_after=5))
        assert "reason=deadline_too_near" in str(raised.value)

    def test_a_dependency_that_is_never_called(self) -> None:
        with pytest.raises(AssertionError, match="it never called its dependency"):
            assert_recovers(lambda _fetch: "answer", CUT)

    def test_no_failure_is_a_mistake(self) -> None:
        """What does not fail has nothing to recover from."""
        with pytest.raises(TypeError):
            assert_recovers(Pipeline(Retry()))

    def test_what_is_no_error_passes(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            assert_recovers(Pipeline(Retry()), KeyboardInterrupt())


class TestWhatIsGuardedAlready:
    """A function is given the dependency, and has it called."""

    def test_by_a_decorator(self) -> None:
        class Client:
            def __init__(self, fetch: Callable[..., Any]) -> None:
                self._fetch = fetch

            @Pipeline(Retry())
            def ask(self, question: str) -> Any:
                return self._fetch(question).upper()

        recovery = assert_recovers(lambda fetch: Client(fetch).ask("why?"), CUT, expected="ANSWER")
        assert recovery.calls == 2

    async def test_a_coroutine_function_and_a_stream(self) -> None:
        async def ask(fetch: Callable[..., Any]) -> Any:
            return await Pipeline(Retry()).acall(fetch)

        async def listen(fetch: Callable[..., Any]) -> Any:
            async for item in Pipeline(Restart()).stream(fetch):
                yield item

        assert (await aassert_recovers(ask, CUT)).calls == 2
        with pytest.raises(AssertionError, match="listen"):
            await assert_stream_recovers(listen, CUT)


class TestTheClock:
    """One in force is used; without one each call has its own."""

    def test_nobody_waits_and_every_wait_is_the_longest(self) -> None:
        recovery = assert_recovers(Pipeline(Retry(initial_delay=3600, max_delay=3600)), CUT)
        assert recovery.seconds == pytest.approx(3600)

    def test_one_in_force_goes_on_from_call_to_call(self) -> None:
        """So a breaker that one call opened is probed in the next."""
        breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1), open_for=60)
        pipeline = Pipeline(breaker)
        with FakeClock() as clock:
            with pytest.raises(AssertionError, match="NetworkError"):
                assert_recovers(pipeline, CUT)
            with pytest.raises(CircuitOpen):
                pipeline.call(Scripted("answer"))
            clock.advance(60)
            assert pipeline.call(Scripted("answer")) == "answer"

    def test_events_of_others_are_not_told(self) -> None:
        """Whatever is at work elsewhere in the process has another clock."""
        other = Pipeline(Retry(initial_delay=0))

        def noisy(fetch: Scripted) -> Any:
            contextvars.Context().run(other.call, Scripted(CUT, "x"))
            return Pipeline(Retry()).call(fetch)

        assert len(assert_recovers(noisy, CUT).events) == 2


def test_it_listens_only_as_long_as_it_lasts() -> None:
    """Also where there is no recovery: more listeners than a bus takes would be an error."""
    for _ in range(100):
        assert_recovers(Pipeline(Retry()), CUT)
        with pytest.raises(AssertionError):
            assert_recovers(Pipeline(), CUT)
    subscribe(lambda _: None)()


def test_with_chaos_on_it_counts_what_was_injected() -> None:
    pipeline = Pipeline(Retry(), Inject("d", fault=ConnectionLost, script=[True]))
    with chaos("d"):
        recovery = assert_recovers(pipeline, CUT)
    assert recovery.calls == 2
    assert [type(event).__name__ for event in recovery.events].count("ChaosInjected") == 1


def test_a_report_cannot_be_changed() -> None:
    recovery = assert_recovers(Pipeline(Retry()), CUT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recovery.calls = 1  # type: ignore[misc]


def test_a_deadline_error_is_described() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_recovers(Pipeline(Deadline(0)), CUT)
    assert isinstance(raised.value.__cause__, DeadlineExceeded)
    assert "(0 calls, 0.000 s)" in str(raised.value)
