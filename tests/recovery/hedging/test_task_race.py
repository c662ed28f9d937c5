"""A race of coroutines: which attempts begin, which decides, and what becomes of the others."""

import asyncio
import contextlib
import gc
import sys
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any

import pytest

from stormproof import recovery
from stormproof.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NetworkError,
    ServiceUnavailable,
)
from stormproof.recovery import (
    Deadline,
    Hedge,
    HedgeStarted,
    HedgeWon,
    Pipeline,
    Retry,
    RetryBudget,
    remaining,
)
from stormproof.testing import FakeClock, Scripted, Takes

LONG = 30.0  # real seconds: only a test that fails waits so long


class Witness:
    """A dependency that tells which of its calls began, ended, and were cancelled."""

    def __init__(self, clock: FakeClock, *steps: object) -> None:
        self._clock = clock
        self._steps = steps
        self._zero = clock.now()
        self.began: list[float] = []
        self.returned: list[int] = []
        self.cancelled: list[int] = []

    async def __call__(self) -> object:
        self.began.append(round(self._clock.now() - self._zero, 6))
        number = len(self.began)
        step = self._steps[min(number, len(self._steps)) - 1]
        try:
            if isinstance(step, Takes):
                await self._clock.asleep(step.seconds)
                step = step.then
            if isinstance(step, Exception):
                raise step
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        self.returned.append(number)
        return step


def tasks() -> int:
    return len(asyncio.all_tasks())


async def settled() -> None:
    """Let what was cancelled end."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def elapsed(clock: FakeClock) -> Callable[[], float]:
    zero = clock.now()
    return lambda: round(clock.now() - zero, 6)


# What begins, and what decides


async def test_a_call_that_answers_in_time_is_made_once(
    clock: FakeClock, heard: list[recovery.Event]
) -> None:
    ask = Witness(clock, Takes(0.9, "answer"))
    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "answer"
    await clock.asleep(5)
    assert (ask.began, heard) == ([0.0], [])


async def test_the_first_attempt_needs_no_task(clock: FakeClock) -> None:
    async def ask() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    assert await Pipeline(Hedge(delay=1.0)).acall(ask) is asyncio.current_task()


async def test_a_slow_call_is_made_once_more_and_the_first_answer_counts(
    clock: FakeClock, heard: list[recovery.Event], elapsed: Callable[[], float]
) -> None:
    ask = Witness(clock, Takes(60, "slow"), Takes(0.5, "fast"))
    assert await Pipeline(Hedge(delay=1.0), name="ask").acall(ask) == "fast"
    assert elapsed() == 1.5
    assert (ask.began, ask.returned, ask.cancelled) == ([0.0, 1.0], [2], [1])
    started, won = heard
    assert isinstance(started, HedgeStarted)
    assert (started.pipeline, started.strategy, started.attempt) == ("ask", "hedge", 2)
    assert started.delay == pytest.approx(1.0)
    assert won == HedgeWon(pipeline="ask", strategy="hedge", attempt=2)


async def test_the_first_attempt_may_still_win(
    clock: FakeClock, heard: list[recovery.Event], elapsed: Callable[[], float]
) -> None:
    ask = Witness(clock, Takes(1.2, "first"), Takes(60, "second"))
    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "first"
    await settled()
    assert (ask.returned, ask.cancelled, elapsed()) == ([1], [2], 1.2)
    assert [type(event) for event in heard] == [HedgeStarted]


async def test_each_delay_without_an_answer_begins_one_more_attempt(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(60), Takes(60), Takes(60), Takes(0.1, "fourth"))
    assert await Pipeline(Hedge(delay=1.0, extra=3)).acall(ask) == "fourth"
    await settled()
    assert ask.began == [0.0, 1.0, 2.0, 3.0]
    assert sorted(ask.cancelled) == [1, 2, 3]


async def test_there_are_no_more_attempts_than_allowed(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(60, "first"))
    assert await Pipeline(Hedge(delay=1.0, extra=2)).acall(ask) == "first"
    assert ask.began == [0.0, 1.0, 2.0]


async def test_with_no_delay_both_attempts_begin_at_once(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(60), Takes(1.0, "second"))
    assert await Pipeline(Hedge(delay=0)).acall(ask) == "second"
    assert ask.began == [0.0, 0.0]


# Failures


async def test_a_failure_that_may_pass_begins_the_next_attempt_at_once(
    clock: FakeClock, elapsed: Callable[[], float]
) -> None:
    ask = Witness(clock, Takes(0.2, NetworkError(reason="cut")), Takes(0.1, "second"))
    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "second"
    assert (ask.began, elapsed()) == ([0.0, 0.2], 0.3)


async def test_after_a_failure_the_delay_begins_anew(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(0.2, NetworkError(reason="cut")), Takes(60), Takes(0.1, "third"))
    assert await Pipeline(Hedge(delay=1.0, extra=2)).acall(ask) == "third"
    assert ask.began == [0.0, 0.2, 1.2]


@pytest.mark.parametrize("loser", [1, 2])
async def test_a_failure_does_not_matter_while_another_attempt_runs(
    clock: FakeClock, loser: int
) -> None:
    cut = Takes(2.0, NetworkError(reason="cut"))
    good = Takes(3.0, "answer")
    ask = Witness(clock, cut, good) if loser == 1 else Witness(clock, good, cut)
    assert await Pipeline(Hedge(delay=0.5)).acall(ask) == "answer"
    assert ask.began == [0.0, 0.5]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_failure_that_will_not_pass_is_that_of_the_call_at_once(
    clock: FakeClock, elapsed: Callable[[], float], number: int
) -> None:
    wrong = Takes(1.5, InvalidRequest(reason="no such model"))
    slow = Takes(60, "slow")
    ask = Witness(clock, wrong, slow) if number == 1 else Witness(clock, slow, wrong)
    with pytest.raises(InvalidRequest):
        await Pipeline(Hedge(delay=1.0, extra=5)).acall(ask)
    await settled()
    assert len(ask.cancelled) == len(ask.began) - 1
    assert elapsed() == (1.5 if number == 1 else 2.5)


async def test_when_all_fail_the_error_is_that_of_the_first_and_tells_of_the_others(
    clock: FakeClock,
) -> None:
    first, second = NetworkError(reason="one"), NetworkError(reason="two")
    third = ServiceUnavailable(reason="three")
    for _ in range(3):  # errors that are raised again and again do not grow
        ask = Witness(clock, Takes(9, first), Takes(3.5, second), Takes(2, third))
        with pytest.raises(NetworkError) as raised:
            await Pipeline(Hedge(delay=1.0, extra=2)).acall(ask)
        assert raised.value is first
    assert vars(first)["__notes__"] == [
        "attempt 3, beside it: ServiceUnavailable: service unavailable: three",
        "attempt 2, beside it: NetworkError: network error: two",
    ]


async def test_a_failure_that_ends_the_call_tells_of_those_before(clock: FakeClock) -> None:
    ask = Witness(clock, NetworkError(reason="cut"), InvalidRequest(reason="wrong"))
    with pytest.raises(InvalidRequest) as raised:
        await Pipeline(Hedge(delay=1.0)).acall(ask)
    assert vars(raised.value)["__notes__"] == [
        "attempt 1, beside it: NetworkError: network error: cut"
    ]


async def test_one_error_raised_by_all_attempts_is_no_news(clock: FakeClock) -> None:
    ask = Scripted(NetworkError(reason="down"))
    with pytest.raises(NetworkError) as raised:
        await Pipeline(Hedge(delay=1.0, extra=3)).acall(ask.acall)
    assert len(ask.calls) == 4
    assert not hasattr(raised.value, "__notes__")


async def test_an_error_used_twice_does_not_grow(clock: FakeClock) -> None:
    """Not even where each time it is told of another one."""
    same = NetworkError(reason="again")
    pipeline = Pipeline(Hedge(delay=1.0))
    for number in range(3):
        ask = Scripted(same, NetworkError(reason=f"request {number}"))
        with pytest.raises(NetworkError):
            await pipeline.acall(ask.acall)
    assert same.__notes__ == ["attempt 2, beside it: NetworkError: network error: request 2"]


async def test_an_error_that_asks_to_wait_begins_nothing(clock: FakeClock) -> None:
    """Who sends two requests to a server that asked for a pause is the storm."""
    busy = ServiceUnavailable(reason="busy", retry_after=5)
    ask = Witness(clock, busy, "never")
    with pytest.raises(ServiceUnavailable):
        await Pipeline(Hedge(delay=1.0, extra=3)).acall(ask)
    assert ask.began == [0.0]


async def test_control_flow_that_travels_as_an_exception_passes_at_once(clock: FakeClock) -> None:
    ask = Witness(clock, StopAsyncIteration(), "never")
    with pytest.raises(StopAsyncIteration):
        await Pipeline(Hedge(delay=1.0)).acall(ask)
    assert len(ask.began) == 1


# Budget and deadline


async def test_each_extra_attempt_is_charged_and_each_success_deposited(clock: FakeClock) -> None:
    budget = RetryBudget(0.5, floor=1, window=2)
    hedged = Pipeline(Hedge(delay=0.001, extra=2, budget=budget))
    await hedged.acall(Scripted("answer").acall)
    assert budget.balance == pytest.approx(2.5)
    await hedged.acall(Scripted(Takes(1), Takes(1), "answer").acall)
    assert budget.balance == pytest.approx(1.0, abs=0.01)


async def test_when_the_budget_is_spent_nothing_is_hedged(
    clock: FakeClock, heard: list[recovery.Event]
) -> None:
    budget = RetryBudget(0, floor=0)
    ask = Witness(clock, Takes(5, "first"))
    assert await Pipeline(Hedge(delay=1.0, extra=3, budget=budget)).acall(ask) == "first"
    assert (ask.began, heard) == ([0.0], [])
    with pytest.raises(NetworkError):
        await Pipeline(Hedge(delay=1.0, budget=budget)).acall(
            Scripted(NetworkError(reason="cut"), "never").acall
        )


async def test_a_deadline_cuts_all_attempts_and_waits_for_them(
    clock: FakeClock, elapsed: Callable[[], float]
) -> None:
    ask = Witness(clock, Takes(60))
    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(2.5), Hedge(delay=1.0, extra=5)).acall(ask)
    assert ask.began == [0.0, 1.0, 2.0]
    assert sorted(ask.cancelled) == [1, 2, 3]
    assert elapsed() == 2.5


def test_no_attempt_begins_when_the_time_is_over(clock: FakeClock) -> None:
    """Though the deadline in force, that of a sync function, cuts nothing."""
    ask = Scripted(Takes(9, NetworkError(reason="cut")), "never")
    hedged = Pipeline(Hedge(delay=60))
    with pytest.raises(NetworkError):
        Pipeline(Deadline(5)).call(lambda: asyncio.run(hedged.acall(ask.acall)))
    assert len(ask.calls) == 1


async def test_attempts_inherit_the_deadline(clock: FakeClock) -> None:
    left: list[float | None] = []

    async def ask() -> str:
        left.append(remaining())
        if len(left) == 1:
            await clock.asleep(60)
        return "answer"

    await Pipeline(Deadline(5), Hedge(delay=1.0)).acall(ask)
    assert left == [pytest.approx(5), pytest.approx(4)]


async def test_a_hung_attempt_with_a_deadline_of_its_own_is_a_failure(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(60), "second")
    assert await Pipeline(Hedge(delay=10), Deadline(1)).acall(ask) == "second"
    assert ask.began == [0.0, 1.0]


async def test_a_retry_outside_repeats_the_whole_race(clock: FakeClock) -> None:
    ask = Scripted(*[NetworkError(reason="cut")] * 3, "answer")
    assert await Pipeline(Retry(), Hedge(delay=1.0)).acall(ask.acall) == "answer"
    assert len(ask.calls) == 4


# Cancellation


async def test_who_cancels_the_caller_cancels_all_attempts_and_waits_for_them(
    clock: FakeClock,
) -> None:
    ask = Witness(clock, Takes(60))
    task = asyncio.create_task(Pipeline(Hedge(delay=1.0, extra=2)).acall(ask))
    await clock.asleep(2.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ask.cancelled) == [1, 2, 3]
    assert tasks() == 1


async def test_a_caller_that_waits_for_hedges_alone_can_be_cancelled(clock: FakeClock) -> None:
    ask = Witness(clock, NetworkError(reason="cut"), Takes(60))
    task = asyncio.create_task(Pipeline(Hedge(delay=1.0)).acall(ask))
    await clock.asleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ask.cancelled == [2]


async def test_a_cancelled_caller_is_cancelled_though_a_hedge_has_won(clock: FakeClock) -> None:
    """Both asked for the same task to be cancelled; somebody else's request passes."""
    cancel: list[Callable[[], object]] = []

    async def ask() -> str:
        if cancel:
            cancel.pop()()
            return "answer"
        task = asyncio.current_task()
        assert task is not None
        cancel.append(task.cancel)
        await clock.asleep(60)
        return "slow"

    task = asyncio.create_task(Pipeline(Hedge(delay=1.0)).acall(ask))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_caller_whose_attempt_lost_can_go_on(clock: FakeClock) -> None:
    ask = Witness(clock, Takes(60), "second")
    await Pipeline(Hedge(delay=1.0)).acall(ask)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("end", ["its own answer", NetworkError(reason="was cut")], ids=repr)
async def test_a_first_attempt_that_resists_does_not_change_the_answer(
    clock: FakeClock, end: object
) -> None:
    calls = count(1)

    async def ask() -> object:
        if next(calls) > 1:
            return "second"
        try:
            await clock.asleep(60)
        except asyncio.CancelledError:
            if isinstance(end, Exception):
                raise end from None
        return end

    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "second"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("end", ["late", NetworkError(reason="late")], ids=repr)
async def test_a_loser_that_resists_delays_nobody_and_ends_in_silence(
    clock: FakeClock, elapsed: Callable[[], float], end: object
) -> None:
    calls = count(1)
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))

    async def ask() -> object:
        if next(calls) == 1:
            await clock.asleep(2)
            return "first"
        try:
            await clock.asleep(60)
        except asyncio.CancelledError:
            await clock.asleep(7)
        if isinstance(end, Exception):
            raise end
        return end

    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "first"
    assert elapsed() == 2
    assert tasks() == 2
    await clock.asleep(10)
    assert tasks() == 1
    gc.collect()
    assert complaints == []


async def test_an_attempt_cancelled_from_within_is_no_answer(clock: FakeClock) -> None:
    calls = count(1)

    async def ask() -> str:
        if next(calls) == 2:
            raise asyncio.CancelledError
        await clock.asleep(5)
        return "first"

    assert await Pipeline(Hedge(delay=1.0)).acall(ask) == "first"


async def test_when_no_other_attempt_is_left_the_first_failure_stands(clock: FakeClock) -> None:
    calls = count(1)

    async def ask() -> str:
        if next(calls) == 2:
            raise asyncio.CancelledError
        raise NetworkError(reason="cut")

    with pytest.raises(NetworkError):
        await Pipeline(Hedge(delay=1.0)).acall(ask)


async def test_an_error_that_cannot_be_judged_fails_the_call(clock: FakeClock) -> None:
    """Rather than leaving its caller to wait for ever."""

    class Broken(NetworkError):
        @property
        def retriable(self) -> bool:  # type: ignore[override]
            raise LookupError("a bug")

    ask = Witness(clock, Takes(60), Broken(reason="cut"))
    with pytest.raises(LookupError):
        await Pipeline(Hedge(delay=1.0)).acall(ask)


async def test_each_further_attempt_runs_in_a_copy_of_the_callers_context(
    clock: FakeClock,
) -> None:
    request: ContextVar[str] = ContextVar("request")
    seen: list[str] = []

    async def ask() -> str:
        seen.append(request.get())
        request.set(f"changed by {len(seen)}")
        if len(seen) < 3:
            await clock.asleep(60)
        return "answer"

    request.set("mine")
    assert await Pipeline(Hedge(delay=1.0, extra=2)).acall(ask) == "answer"
    assert seen == ["mine", "mine", "mine"]
    assert request.get() == "changed by 1"


async def test_nothing_is_kept_of_a_race(clock: FakeClock) -> None:
    """Not even until the garbage collector comes."""
    errors: list[weakref.ref[Exception]] = []

    async def ask() -> str:
        await clock.asleep(2)
        error = NetworkError(reason="cut")
        errors.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        with contextlib.suppress(NetworkError):
            await Pipeline(Hedge(delay=1.0)).acall(ask)
        await settled()
        assert [error() for error in errors] == [None, None]
    finally:
        gc.enable()


if sys.version_info >= (3, 12):  # which brought eager tasks

    async def test_attempts_that_end_as_soon_as_they_begin_count_too(clock: FakeClock) -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        cut = NetworkError(reason="cut")
        ask = Witness(clock, Takes(60), cut, cut, "fourth")
        assert await Pipeline(Hedge(delay=1.0, extra=5)).acall(ask) == "fourth"
        assert ask.began == [0.0, 1.0, 1.0, 1.0]
