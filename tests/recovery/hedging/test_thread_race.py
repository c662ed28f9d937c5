"""A race of sync calls, each on a thread of its own."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from itertools import count
from threading import Event, get_ident
from typing import Any

import pytest

from stormproof import recovery
from stormproof.errors import (
    CapacityExceeded,
    DeadlineExceeded,
    InvalidRequest,
    NetworkError,
)
from stormproof.recovery import (
    CallRejected,
    Deadline,
    DeadlinePassed,
    Hedge,
    HedgeStarted,
    HedgeWon,
    LatencyQuantile,
    Pipeline,
    RetryBudget,
    ThreadFreed,
    ThreadPinned,
    WorkerThreads,
    remaining,
)
from stormproof.recovery.clock import SystemClock, reset_clock, set_clock
from stormproof.recovery.threads import ThreadCall
from stormproof.testing import FakeClock, Scripted, Takes

LONG = 30.0  # real seconds: only a test that fails waits so long


@pytest.fixture
def release() -> Iterator[Event]:
    """What hangs ends with the test."""
    event = Event()
    yield event
    event.set()


@pytest.fixture(params=[True, False], ids=["jumps", "by hand"])
def clock(request: pytest.FixtureRequest) -> Iterator[FakeClock]:
    with FakeClock(jumps=request.param) as fake:
        yield fake


@pytest.fixture
def heard() -> Iterator[list[recovery.Event]]:
    """Every event, but that a thread is free again: it may be one of an earlier test."""
    events: list[recovery.Event] = []
    unsubscribe = recovery.subscribe(
        lambda event: None if isinstance(event, ThreadFreed) else events.append(event)
    )
    yield events
    unsubscribe()


class Ask:
    """Each call does the next step: it hangs, after so many seconds passed, or acts at once."""

    def __init__(self, clock: FakeClock, release: Event, *steps: float | str | Exception) -> None:
        self._clock = clock
        self._release = release
        self._steps = steps
        self._calls = count()
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        step = self._steps[next(self._calls)]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            return step
        self._clock.advance(step)
        assert self._release.wait(LONG)
        return "late"


def hedge(threads: WorkerThreads | None = None, *, extra: int = 1) -> Hedge:
    return Hedge(delay=1.0, extra=extra, threads=threads or WorkerThreads(8, name="drivers"))


def test_without_threads_a_sync_function_is_not_hedged() -> None:
    with pytest.raises(TypeError, match=r"threads=WorkerThreads"):
        Pipeline(Hedge(delay=1.0))(lambda: "answer")


def test_a_call_that_answers_in_time_is_made_once(
    clock: FakeClock, heard: list[recovery.Event]
) -> None:
    ask = Scripted(Takes(0.9, "answer"))
    assert Pipeline(hedge()).call(ask, 1, key=2) == "answer"
    assert ask.calls == [((1,), {"key": 2})]
    assert heard == []


def test_a_slow_call_is_made_once_more_and_the_loser_is_left_behind(
    clock: FakeClock, release: Event, heard: list[recovery.Event]
) -> None:
    threads = WorkerThreads(2, name="drivers")
    ask = Ask(clock, release, 1.0, "second")
    assert Pipeline(hedge(threads), name="ask").call(ask) == "second"
    assert (threads.running, threads.pinned) == (1, 1)
    assert [type(event) for event in heard] == [HedgeStarted, HedgeWon, ThreadPinned]
    assert heard[1:] == [
        HedgeWon(pipeline="ask", strategy="hedge", attempt=2),
        ThreadPinned(pipeline="ask", strategy="drivers", pinned=1, limit=2),
    ]


def test_each_delay_without_an_answer_begins_one_more_attempt(
    clock: FakeClock, release: Event
) -> None:
    ask = Ask(clock, release, 1.0, 1.0, 1.0, "fourth")
    assert Pipeline(hedge(extra=3)).call(ask) == "fourth"
    assert ask.made == 4


def test_a_failure_that_may_pass_begins_the_next_attempt_at_once(
    clock: FakeClock, release: Event
) -> None:
    begun = clock.now()
    ask = Ask(clock, release, NetworkError(reason="cut"), "second")
    assert Pipeline(hedge()).call(ask) == "second"
    assert clock.now() == begun


def test_a_failure_that_will_not_pass_is_that_of_the_call(clock: FakeClock, release: Event) -> None:
    ask = Ask(clock, release, 1.0, InvalidRequest(reason="wrong"))
    with pytest.raises(InvalidRequest):
        Pipeline(hedge(extra=5)).call(ask)
    assert ask.made == 2


def test_when_all_fail_the_error_is_that_of_the_first(clock: FakeClock, release: Event) -> None:
    first = NetworkError(reason="one")
    ask = Ask(clock, release, first, NetworkError(reason="two"))
    with pytest.raises(NetworkError) as raised:
        Pipeline(hedge()).call(ask)
    assert raised.value is first
    assert vars(first)["__notes__"] == ["attempt 2, beside it: NetworkError: network error: two"]


def test_of_answers_that_are_there_the_earliest_counts(clock: FakeClock) -> None:
    """Not the one whose thread happened to be heard first."""
    calls, answered = count(1), Event()

    def ask() -> str:
        if next(calls) == 1:
            clock.advance(1.0)  # the delay
            assert answered.wait(LONG)
            clock.advance(1.0)
            return "first, later"
        answered.set()
        return "second, sooner"

    assert Pipeline(hedge()).call(ask) == "second, sooner"


def test_attempts_run_on_other_threads_in_copies_of_the_callers_context(
    clock: FakeClock, release: Event
) -> None:
    request: ContextVar[str] = ContextVar("request")
    seen: list[str] = []
    where: set[int] = set()

    def ask() -> str:
        seen.append(request.get())
        request.set("changed")
        where.add(get_ident())
        if len(seen) == 1:
            clock.advance(1.0)
            release.wait(LONG)
        return "answer"

    token = request.set("mine")
    assert Pipeline(hedge()).call(ask) == "answer"
    assert (seen, request.get()) == (["mine", "mine"], "mine")
    request.reset(token)
    assert len(where) == 2
    assert get_ident() not in where


def test_with_no_thread_for_the_first_attempt_the_call_is_turned_away(
    clock: FakeClock, release: Event
) -> None:
    threads = WorkerThreads(1, name="drivers")
    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(1.0, threads=threads)).call(Ask(clock, release, 1.0))
    with pytest.raises(CapacityExceeded) as raised:
        Pipeline(hedge(threads)).call(Ask(clock, release, "never"))
    assert (raised.value.resource, raised.value.limit) == ("drivers", 1)


def test_with_no_thread_for_another_attempt_there_is_none(
    clock: FakeClock, heard: list[recovery.Event]
) -> None:
    refused = Event()

    class OneThread(WorkerThreads):
        def start(self, *args: Any) -> ThreadCall:
            try:
                return super().start(*args)
            except CapacityExceeded:
                refused.set()
                raise

    def ask() -> str:
        assert not refused.is_set()
        clock.advance(1.0)
        assert refused.wait(LONG)
        return "first"

    assert Pipeline(hedge(OneThread(1, name="drivers")), name="ask").call(ask) == "first"
    assert heard == [CallRejected(pipeline="ask", strategy="drivers", retry_after=None)]


def test_the_budget_bounds_the_attempts(clock: FakeClock) -> None:
    budget = RetryBudget(0.5, floor=0)
    ask = Scripted(NetworkError(reason="cut"), "second")
    hedged = Pipeline(Hedge(delay=1.0, budget=budget, threads=WorkerThreads(2)))
    with pytest.raises(NetworkError):
        hedged.call(ask)
    assert hedged.call(ask) == "second"
    assert budget.balance == 0.5


@pytest.mark.parametrize("late", ["a result", NetworkError(reason="cut")], ids=repr)
def test_the_caller_waits_no_longer_than_the_deadline_in_force(
    clock: FakeClock, heard: list[recovery.Event], late: object
) -> None:
    ask = Scripted(Takes(5.0, late))
    with pytest.raises(DeadlineExceeded) as raised:
        Pipeline(Deadline(0.5), hedge(), name="ask").call(ask)
    assert raised.value.timeout is None
    assert DeadlinePassed(pipeline="ask", strategy="hedge", timeout=None) in heard
    assert len(ask.calls) == 1


def test_all_attempts_are_left_behind_when_the_time_is_over(
    clock: FakeClock, release: Event
) -> None:
    threads = WorkerThreads(2)
    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(2.0), hedge(threads)).call(Ask(clock, release, 1.0, 1.0))
    assert threads.pinned == 2


def test_no_attempt_begins_when_the_time_is_over(clock: FakeClock) -> None:
    ask = Scripted("never")

    def late() -> object:
        clock.advance(2.0)
        return Pipeline(hedge()).call(ask)

    with pytest.raises(DeadlineExceeded):
        Pipeline(Deadline(1)).call(late)
    assert ask.calls == []


def test_attempts_inherit_the_deadline(clock: FakeClock) -> None:
    assert Pipeline(Deadline(5), hedge()).call(remaining) == pytest.approx(5)


def test_an_interrupt_leaves_all_attempts_behind(release: Event) -> None:
    class Interrupted(SystemClock):
        @staticmethod
        def wait_for_thread(*_: object) -> None:
            raise KeyboardInterrupt

    threads = WorkerThreads(1)
    token = set_clock(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        Pipeline(hedge(threads)).call(release.wait)
    reset_clock(token)
    assert threads.pinned == 1


@pytest.mark.parametrize("end", [SystemExit(3), StopIteration()], ids=repr)
def test_what_is_no_failure_reaches_the_caller_at_once(
    clock: FakeClock, end: BaseException
) -> None:
    ask = Scripted(end)
    with pytest.raises(type(end)):
        Pipeline(hedge()).call(ask)
    assert len(ask.calls) == 1


def test_the_delay_can_follow_the_latencies(clock: FakeClock, release: Event) -> None:
    slow = Ask(clock, release, 3.0, "second")
    steps: Iterator[Callable[[], object]] = iter([Scripted(Takes(2.0, "answer"))] * 2 + [slow] * 2)
    delay = LatencyQuantile(minimum_calls=2)
    hedged = Pipeline(Hedge(delay=delay, threads=WorkerThreads(2)))
    assert [hedged.call(next(steps)) for _ in range(3)] == ["answer", "answer", "second"]


def test_in_real_time_too(release: Event) -> None:
    calls = count(1)

    def ask() -> str:
        if next(calls) == 1:
            release.wait(LONG)
        return "answer"

    assert Pipeline(Hedge(delay=0.01, threads=WorkerThreads(2))).call(ask) == "answer"
