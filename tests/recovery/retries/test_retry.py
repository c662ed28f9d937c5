"""Calling again after a failure that may pass."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from stormproof.errors import (
    InvalidRequest,
    NetworkError,
    RateLimitExceeded,
    ResultRejected,
    ServiceUnavailable,
    ValidationErrors,
)
from stormproof.recovery import (
    AttemptFailed,
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Event,
    Fallback,
    GiveUpReason,
    Pipeline,
    Retry,
    RetryBudget,
    RetryGaveUp,
    RetryScheduled,
    attempts,
)
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")


def test_a_failure_that_passes_is_not_seen(clock: FakeClock) -> None:
    fetch = Scripted(CUT, CUT, "answer")
    assert Pipeline(Retry()).call(fetch, "question", top=1) == "answer"
    assert fetch.calls == [(("question",), {"top": 1})] * 3


async def test_a_coroutine_is_retried_alike(clock: FakeClock) -> None:
    fetch = Scripted(CUT, CUT, "answer")
    assert await Pipeline(Retry()).acall(fetch.acall, "question") == "answer"
    assert clock.slept == [0.1, 0.2]


def test_the_last_error_reaches_the_caller_as_it_is(clock: FakeClock) -> None:
    last = NetworkError(reason="still cut")
    with pytest.raises(NetworkError) as raised:
        Pipeline(Retry()).call(Scripted(CUT, CUT, last))
    assert raised.value is last
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (Retry.storage(), [0.1, 0.2]),
        (Retry.provider(), [1.0, 2.0]),
        (Retry.step(), [0.2, 0.4]),
        (Retry(attempts=9, initial_delay=1, max_delay=10), [1, 2, 4, 8, 10, 10, 10, 10]),
        (Retry(attempts=4, initial_delay=0.5, factor=1), [0.5, 0.5, 0.5]),
    ],
    ids=str,
)
def test_the_longest_waits_grow_up_to_the_cap(
    clock: FakeClock, retry: Retry, waits: list[float]
) -> None:
    with pytest.raises(NetworkError):
        Pipeline(retry).call(Scripted(CUT))
    assert clock.slept == waits


def test_a_wait_is_drawn_first_and_capped_after() -> None:
    """Capped before, the draw would halve every long wait; capped after, half of them stay long."""
    draws = iter([0.5, 0.5, 0.5])
    with FakeClock(random=lambda: next(draws)) as clock, pytest.raises(NetworkError):
        Pipeline(Retry(attempts=4, initial_delay=8, max_delay=10)).call(Scripted(CUT))
    assert clock.slept == [4.0, 8.0, 10.0]


def test_a_thousand_attempts_do_not_overflow_the_backoff(clock: FakeClock) -> None:
    fetch = Scripted(CUT)
    with pytest.raises(NetworkError):
        Pipeline(Retry(attempts=1000, factor=100)).call(fetch)
    assert len(fetch.calls) == 1000
    assert max(clock.slept) == 10.0


def test_a_delay_of_zero_does_not_sleep_at_all(clock: FakeClock) -> None:
    assert Pipeline(Retry(initial_delay=0)).call(Scripted(CUT, "answer")) == "answer"
    assert clock.slept == []


@pytest.mark.parametrize(
    "bug",
    [TypeError("x"), InvalidRequest(reason="x"), ValueError("x"), StopAsyncIteration("x")],
    ids=repr,
)
def test_what_will_fail_again_is_called_once(clock: FakeClock, bug: Exception) -> None:
    """A bug, a client error and control flow are passed on, and nothing is written on them."""
    fetch = Scripted(bug)
    with pytest.raises(type(bug)) as raised:
        Pipeline(Retry()).call(fetch)
    assert len(fetch.calls) == 1
    assert attempts(raised.value) == ()


@pytest.mark.parametrize(
    ("group", "calls"),
    [
        (ExceptionGroup("all may pass", [CUT, ConnectionResetError()]), 3),
        (ExceptionGroup("one will not", [CUT, InvalidRequest(reason="x")]), 1),
        (ExceptionGroup("nested", [ExceptionGroup("bug", [TypeError()])]), 1),
    ],
    ids=str,
)
def test_a_group_is_as_bad_as_its_worst_member(
    clock: FakeClock, group: ExceptionGroup[Exception], calls: int
) -> None:
    fetch = Scripted(group)
    with pytest.raises(ExceptionGroup):
        Pipeline(Retry()).call(fetch)
    assert len(fetch.calls) == calls


def test_a_foreign_exception_is_judged_by_its_translation(clock: FakeClock) -> None:
    assert Pipeline(Retry()).call(Scripted(ConnectionResetError(), "answer")) == "answer"


@pytest.mark.parametrize(
    "retry_on",
    [ValueError, (KeyError, ValueError), lambda error: "odd" in str(error)],
    ids=["class", "classes", "predicate"],
)
def test_what_to_retry_can_be_said(
    clock: FakeClock,
    retry_on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool],
) -> None:
    guarded = Pipeline(Retry(retry_on=retry_on))
    assert guarded.call(Scripted(ValueError("odd"), "answer")) == "answer"
    with pytest.raises(NetworkError):
        guarded.call(Scripted(CUT, "answer"))


def test_control_flow_is_not_retried_whatever_is_said(clock: FakeClock) -> None:
    fetch = Scripted(StopIteration())
    with pytest.raises(StopIteration):
        Pipeline(Retry(retry_on=Exception)).call(fetch)
    assert len(fetch.calls) == 1


class TestRetryOnResult:
    """A result can be as good as a failure, and then is a failure like any other."""

    EMPTY = Retry(retry_on_result=lambda found: found == "")

    def test_a_result_that_will_not_do_is_asked_for_again(self, clock: FakeClock) -> None:
        assert Pipeline(self.EMPTY).call(Scripted("", "", "answer")) == "answer"
        assert clock.slept == [0.1, 0.2]

    async def test_a_coroutine_alike(self, clock: FakeClock) -> None:
        assert await Pipeline(self.EMPTY).acall(Scripted("", "answer").acall) == "answer"
        with pytest.raises(ResultRejected):
            await Pipeline(self.EMPTY).acall(Scripted("").acall)

    async def test_a_stream_is_not_asked(self) -> None:
        items = Pipeline(self.EMPTY).stream(Scripted(["", "a"]).stream)
        assert [item async for item in items] == ["", "a"]

    def test_when_no_attempt_is_left_there_is_an_error_with_the_result(
        self, clock: FakeClock
    ) -> None:
        results = [["x"], ["y"], ["z"]]
        retry = Retry(retry_on_result=lambda found: len(found) < 2)
        with pytest.raises(ResultRejected) as raised:
            Pipeline(retry, name="ask").call(Scripted(*results))
        assert raised.value.result is results[-1]
        assert raised.value.operation == "ask"
        assert raised.value.retriable
        assert raised.value.__context__ is None

    def test_errors_are_retried_beside_it(self, clock: FakeClock) -> None:
        assert Pipeline(self.EMPTY).call(Scripted(CUT, "", "answer")) == "answer"
        guarded = Pipeline(Retry(retry_on=KeyError, retry_on_result=self.EMPTY.retry_on_result))
        assert guarded.call(Scripted(KeyError(), "", "answer")) == "answer"
        with pytest.raises(NetworkError):
            guarded.call(Scripted(CUT, "answer"))

    def test_a_fallback_answers_and_a_breaker_outside_counts(self, clock: FakeClock) -> None:
        breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1))
        pipeline = Pipeline(Fallback(value="default"), breaker, self.EMPTY)
        assert pipeline.call(Scripted("")) == "default"
        assert breaker.state.value == "open"

    def test_it_is_no_success_for_the_budget(self, clock: FakeClock) -> None:
        budget = RetryBudget(ratio=1.0, floor=0.3)
        retry = Retry(budget=budget, retry_on_result=lambda found: found == "", initial_delay=0)
        before = budget.balance
        assert Pipeline(retry).call(Scripted("", "", "answer")) == "answer"
        assert budget.balance == pytest.approx(before - 2 + 1)

    def test_it_is_told_like_any_failure(self, clock: FakeClock, heard: list[Event]) -> None:
        Pipeline(self.EMPTY).call(Scripted("", "answer"))
        failed, scheduled = heard
        assert isinstance(failed, AttemptFailed)
        assert isinstance(scheduled, RetryScheduled)
        assert isinstance(failed.error, ResultRejected)
        assert failed.error.result == ""

    def test_layers_do_not_multiply(self, clock: FakeClock) -> None:
        fetch = Scripted("")
        inner = Pipeline(self.EMPTY)(fetch)
        with pytest.raises(ResultRejected):
            Pipeline(self.EMPTY).call(inner)
        assert len(fetch.calls) == 3

    def test_what_the_question_raises_is_passed_on(self, clock: FakeClock) -> None:
        """Even what would be retried, had the call raised it."""
        fetch = Scripted("answer")

        def broken(_: object) -> bool:
            raise CUT

        with pytest.raises(NetworkError):
            Pipeline(Retry(retry_on_result=broken)).call(fetch)
        assert len(fetch.calls) == 1

    def test_a_rejected_result_is_freed_with_its_error(self, clock: FakeClock) -> None:
        freed: list[int] = []

        class Result:
            def __del__(self) -> None:
                freed.append(1)

        gc.disable()
        try:
            with pytest.raises(ResultRejected) as raised:
                Pipeline(Retry(retry_on_result=bool)).call(Result)
            assert len(freed) == 2  # the last one is on the error
            del raised
            assert len(freed) == 3
        finally:
            gc.enable()


@pytest.mark.parametrize("asked", [0.3, 7.0])
def test_the_wait_that_an_error_asks_for_is_kept(clock: FakeClock, asked: float) -> None:
    limited = RateLimitExceeded(retry_after=asked)
    assert Pipeline(Retry()).call(Scripted(limited, "answer")) == "answer"
    assert clock.slept == [asked]


def test_a_wait_of_zero_asked_for_is_no_wait(clock: FakeClock) -> None:
    limited = RateLimitExceeded(retry_after=0)
    assert Pipeline(Retry()).call(Scripted(limited, "answer")) == "answer"
    assert clock.slept == []


@pytest.mark.parametrize("nonsense", [float("nan"), -1.0])
def test_a_wait_that_makes_no_sense_is_not_asked_for(clock: FakeClock, nonsense: float) -> None:
    limited = RateLimitExceeded(retry_after=nonsense)
    assert Pipeline(Retry()).call(Scripted(limited, "answer")) == "answer"
    assert clock.slept == [0.1]


def test_a_wait_longer_than_the_cap_is_not_begun(clock: FakeClock, heard: list[Event]) -> None:
    """Whoever asks for an hour gets no caller stuck for an hour: a fallback may answer now."""
    fetch = Scripted(RateLimitExceeded(retry_after=3600))
    with pytest.raises(RateLimitExceeded):
        Pipeline(Retry(max_delay=60)).call(fetch)
    assert (len(fetch.calls), clock.slept) == (1, [])
    assert isinstance(heard[-1], RetryGaveUp)
    assert heard[-1].reason is GiveUpReason.WAIT_TOO_LONG


def test_a_wait_that_would_pass_the_deadline_is_not_begun(
    clock: FakeClock, heard: list[Event]
) -> None:
    fetch = Scripted(Takes(0.2, RateLimitExceeded(retry_after=0.2)), "too late")
    with pytest.raises(RateLimitExceeded):
        Pipeline(Deadline(0.3), Retry()).call(fetch)
    assert clock.slept == [0.2]  # the attempt itself
    assert isinstance(heard[-1], RetryGaveUp)
    assert heard[-1].reason is GiveUpReason.DEADLINE_TOO_NEAR


def test_a_late_sync_attempt_is_not_repeated_even_without_a_wait(clock: FakeClock) -> None:
    fetch = Scripted(Takes(0.4, CUT))
    with pytest.raises(NetworkError):
        Pipeline(Deadline(0.3), Retry(initial_delay=0)).call(fetch)
    assert len(fetch.calls) == 1


def test_three_layers_of_three_attempts_make_three_calls(clock: FakeClock) -> None:
    fetch = Scripted(CUT)
    guarded = Pipeline(Retry(), name="inner")(fetch)
    guarded = Pipeline(Retry(), name="middle")(guarded)
    with pytest.raises(NetworkError) as raised:
        Pipeline(Retry(), name="outer").call(guarded)
    assert len(fetch.calls) == 3
    assert {attempt.pipeline for attempt in attempts(raised.value)} == {"inner"}


async def test_layers_do_not_multiply_through_a_new_error_or_a_group(clock: FakeClock) -> None:
    """The mark is found on the cause of what the layer between raises, and inside groups."""
    fetch = Scripted(CUT)

    async def layer() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(Pipeline(Retry()).acall(fetch.acall))
        except* NetworkError as group:
            raise ServiceUnavailable(reason="wrapped") from group

    with pytest.raises(ServiceUnavailable):
        await Pipeline(Retry(retry_on=Exception)).acall(layer)
    assert len(fetch.calls) == 3


def test_an_error_object_used_again_is_retried_again(clock: FakeClock) -> None:
    """A double or a failed future raises one object in many calls: an old mark says nothing."""
    same = NetworkError(reason="one object")
    for _ in range(3):
        fetch = Scripted(same)
        with pytest.raises(NetworkError):
            Pipeline(Retry()).call(fetch)
        assert len(fetch.calls) == 3
    assert len(same.__notes__) == 4


def test_an_old_mark_says_nothing_though_others_give_up_meanwhile(clock: FakeClock) -> None:
    same = NetworkError(reason="one object")
    with pytest.raises(NetworkError):
        Pipeline(Retry()).call(Scripted(same))
    calls: list[int] = []

    def fetch() -> None:
        calls.append(1)
        with pytest.raises(ServiceUnavailable):
            Pipeline(Retry()).call(Scripted(ServiceUnavailable(reason="something else")))
        raise same

    with pytest.raises(NetworkError):
        Pipeline(Retry()).call(fetch)
    assert len(calls) == 3


def test_an_error_that_another_filter_selects_is_for_the_outer_retry(clock: FakeClock) -> None:
    fetch = Scripted(KeyError(), KeyError(), "answer")
    inner = Pipeline(Retry(retry_on=ValueError))(fetch)
    assert Pipeline(Retry(retry_on=KeyError)).call(inner) == "answer"


async def test_cancellation_during_a_wait_passes_at_once() -> None:
    with FakeClock(jumps=False):
        fetch = Scripted(CUT)
        task = asyncio.create_task(Pipeline(Retry(retry_on=Exception)).acall(fetch.acall))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(fetch.calls) == 1


async def test_cancellation_during_an_attempt_passes_at_once() -> None:
    with FakeClock(jumps=False):
        fetch = Scripted(Takes(60, "answer"))
        task = asyncio.create_task(Pipeline(Retry(retry_on=Exception)).acall(fetch.acall))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(fetch.calls) == 1


def test_an_interrupt_passes_at_once(clock: FakeClock) -> None:
    fetch = Scripted(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        Pipeline(Retry(retry_on=lambda _: True)).call(fetch)
    assert len(fetch.calls) == 1


def test_every_attempt_is_an_event(clock: FakeClock, heard: list[Event]) -> None:
    with pytest.raises(NetworkError):
        Pipeline(Retry(attempts=2, name="patience"), name="ask").call(Scripted(CUT))
    common: Any = {"pipeline": "ask", "strategy": "patience", "error": CUT}
    assert heard == [
        AttemptFailed(attempt=1, **common),
        RetryScheduled(attempt=2, wait=0.1, **common),
        AttemptFailed(attempt=2, **common),
        RetryGaveUp(attempts=2, reason=GiveUpReason.ATTEMPTS_SPENT, **common),
    ]


def test_success_is_no_event(heard: list[Event]) -> None:
    Pipeline(Retry()).call(Scripted("answer"))
    assert heard == []


def test_all_wrong_options_are_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        Retry(
            attempts=0,
            initial_delay=-1,
            factor=float("nan"),
            max_delay=1e9,
            retry_on=(),
            retry_on_result="",  # type: ignore[arg-type]
        )
    assert [problem["field"] for problem in raised.value.errors] == [
        "attempts",
        "initial_delay",
        "max_delay",
        "factor",
        "retry_on",
        "retry_on_result",
    ]


def test_a_retried_call_leaves_no_garbage(clock: FakeClock) -> None:
    """A failed attempt is freed with the call: its traceback and the call's frame form no cycle."""
    freed: list[int] = []

    class Cut(ConnectionError):
        def __del__(self) -> None:
            freed.append(1)

    failures = iter((True, True, False))

    def fetch() -> str:
        if next(failures):
            raise Cut
        return "answer"

    gc.disable()
    try:
        assert Pipeline(Retry()).call(fetch) == "answer"
        assert len(freed) == 2
    finally:
        gc.enable()


def test_a_group_of_nothing_but_control_flow_is_no_failure(clock: FakeClock) -> None:
    stop = Scripted(ExceptionGroup("unhandled errors in a TaskGroup", [StopIteration()]), "again")
    with pytest.raises(ExceptionGroup):
        Pipeline(Retry()).call(stop)
    assert len(stop.calls) == 1


def test_what_cannot_answer_at_once_is_no_predicate() -> None:
    """A coroutine is always true: every result would be rejected, every error retried."""

    async def answer(_asked: object) -> bool:
        return False

    unsure: Any = answer
    with pytest.raises(ValidationErrors) as caught:
        Retry(retry_on=unsure, retry_on_result=unsure)
    assert {problem["field"] for problem in caught.value.errors} == {"retry_on", "retry_on_result"}
