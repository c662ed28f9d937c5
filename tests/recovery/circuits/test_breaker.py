"""Leaving a failing dependency alone until it has had time to recover."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import (
    CircuitOpen,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    ServiceUnavailable,
    ValidationErrors,
)
from stormproof.recovery import (
    CallRejected,
    CircuitBreaker,
    CircuitClosed,
    CircuitHalfOpened,
    CircuitOpened,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Event,
    FailureRate,
    GrowingBreak,
    LastCalls,
    Pipeline,
    Retry,
    SlowCallRate,
    subscribe,
)
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")


def breaker_that_opens_at(failures: int = 2, **options: Any) -> CircuitBreaker:
    return CircuitBreaker("dependency", opens_on=ConsecutiveFailures(failures), **options)


def fail(breaker: CircuitBreaker, error: BaseException = CUT) -> None:
    with pytest.raises(type(error)):
        Pipeline(breaker).call(Scripted(error))


def succeed(breaker: CircuitBreaker) -> None:
    Pipeline(breaker).call(Scripted("answer"))


def state_of(breaker: CircuitBreaker) -> CircuitState:
    return breaker.state


def opened(clock: FakeClock, **options: Any) -> CircuitBreaker:
    breaker = breaker_that_opens_at(1, **options)
    fail(breaker)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = breaker_that_opens_at(2)
    fail(breaker)
    succeed(breaker)
    fail(breaker)
    assert state_of(breaker) is CircuitState.CLOSED
    fail(breaker)
    assert state_of(breaker) is CircuitState.OPEN


def test_half_of_the_calls_failing_opens_a_breaker_of_rates(clock: FakeClock) -> None:
    """Alternating failures never make a row; a rate sees them."""
    breaker = CircuitBreaker("dependency", opens_on=FailureRate(0.5, minimum_calls=20))
    guarded = Pipeline(breaker)(Scripted(*[CUT, "answer"] * 500))
    rejected = 0
    for _ in range(1000):
        try:
            guarded()
        except CircuitOpen:
            rejected += 1
        except NetworkError:
            pass
    assert rejected == 979  # the failure that makes 11 of 21 is the last call to go through


def test_a_rate_of_the_last_calls_does_not_mind_how_long_ago_they_were(clock: FakeClock) -> None:
    rule = FailureRate(0.5, window=LastCalls(4), minimum_calls=4)
    breaker = CircuitBreaker("dependency", opens_on=rule)
    for call in (fail, succeed, succeed, fail):
        assert state_of(breaker) is CircuitState.CLOSED
        call(breaker)
        clock.advance(3600)
    assert state_of(breaker) is CircuitState.OPEN


def breaker_of_slow_calls(**options: Any) -> CircuitBreaker:
    return CircuitBreaker("d", opens_on=SlowCallRate(2.0, minimum_calls=2), **options)


def take(breaker: CircuitBreaker, seconds: float) -> None:
    assert Pipeline(breaker).call(Scripted(Takes(seconds, "answer"))) == "answer"


def test_calls_that_succeed_too_slowly_open_it(clock: FakeClock) -> None:
    breaker = breaker_of_slow_calls()
    take(breaker, 2.1)
    take(breaker, 2.0)
    assert state_of(breaker) is CircuitState.CLOSED
    take(breaker, 2.1)
    assert state_of(breaker) is CircuitState.OPEN


async def test_coroutines_are_timed_too(clock: FakeClock) -> None:
    breaker = breaker_of_slow_calls()
    ask = Pipeline(breaker)(Scripted(Takes(3, "answer")).acall)
    await asyncio.gather(ask(), ask())
    assert state_of(breaker) is CircuitState.OPEN


def test_a_probe_that_is_slow_has_failed(clock: FakeClock) -> None:
    breaker = breaker_of_slow_calls()
    take(breaker, 3)
    take(breaker, 3)
    clock.advance(60)
    take(breaker, 3)
    assert state_of(breaker) is CircuitState.OPEN
    clock.advance(60)
    take(breaker, 2)
    assert state_of(breaker) is CircuitState.CLOSED


def test_any_of_several_rules_opens_it(clock: FakeClock) -> None:
    rules = (ConsecutiveFailures(2), SlowCallRate(2.0, minimum_calls=2))
    for calls in ([fail, fail], [lambda one: take(one, 3)] * 2):
        breaker = CircuitBreaker("d", opens_on=rules)
        for call in calls:
            call(breaker)
        assert state_of(breaker) is CircuitState.OPEN


def test_a_call_that_was_cancelled_is_not_slow(clock: FakeClock) -> None:
    breaker = breaker_of_slow_calls()
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            Pipeline(breaker).call(Scripted(Takes(60, KeyboardInterrupt())))
    assert state_of(breaker) is CircuitState.CLOSED


async def test_a_stream_is_slow_when_its_first_item_is(clock: FakeClock) -> None:
    """After that its consumer sets the pace, and a stalled source is no concern of a breaker."""
    for steps, state in (
        ([Takes(3, "a"), "b"], CircuitState.OPEN),
        (["a", Takes(3, "b")], CircuitState.CLOSED),
    ):
        breaker = breaker_of_slow_calls()
        for _ in range(2):
            async for _ in Pipeline(breaker).stream(Scripted(steps).stream):
                clock.advance(5)
        assert state_of(breaker) is state


async def test_a_stream_that_delivers_nothing_is_timed_to_its_end(clock: FakeClock) -> None:
    breaker = breaker_of_slow_calls()

    async def nothing() -> AsyncGenerator[None, None]:
        clock.advance(3)
        return
        yield

    for _ in range(2):
        assert [item async for item in Pipeline(breaker).stream(nothing)] == []
    assert state_of(breaker) is CircuitState.OPEN


class CountingClock(FakeClock):
    """Counts how often somebody asks for the time."""

    reads = 0

    def now(self) -> float:
        self.reads += 1
        return super().now()


@pytest.mark.parametrize(
    ("opens_on", "reads"),
    [
        (ConsecutiveFailures(), 0),
        (FailureRate(window=LastCalls(100)), 0),
        (FailureRate(), 1),
        (SlowCallRate(2.0), 2),
        ((FailureRate(), SlowCallRate(2.0), SlowCallRate(9.0)), 2),
    ],
    ids=str,
)
def test_a_call_reads_the_clock_no_more_than_its_rules_need(opens_on: Any, reads: int) -> None:
    with CountingClock() as clock:
        guarded = Pipeline(CircuitBreaker("d", opens_on=opens_on))(Scripted("answer"))
        clock.reads = 0
        guarded()
        assert clock.reads == reads


def test_an_open_circuit_rejects_without_calling(clock: FakeClock) -> None:
    breaker = opened(clock)
    fetch = Scripted("answer")
    clock.advance(59)
    with pytest.raises(CircuitOpen) as raised:
        Pipeline(breaker).call(fetch)
    assert fetch.calls == []
    assert raised.value.circuit == "dependency"
    assert raised.value.retry_after == pytest.approx(1)


def test_after_its_break_one_success_closes_it(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    succeed(breaker)
    assert state_of(breaker) is CircuitState.CLOSED


def test_after_its_break_one_failure_opens_it_again(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(3)
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    fail(breaker)
    with pytest.raises(CircuitOpen) as raised:
        succeed(breaker)
    assert raised.value.retry_after == pytest.approx(60)


def test_closed_again_it_has_forgotten(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(2)
    fail(breaker)
    fail(breaker)
    clock.advance(60)
    succeed(breaker)
    fail(breaker)
    assert state_of(breaker) is CircuitState.CLOSED


def breaks(clock: FakeClock, breaker: CircuitBreaker, outcomes: str) -> list[float]:
    """Let probes fail (x) or succeed (o), and return how long each break was."""
    lengths: list[float] = []
    for outcome in outcomes:
        wait = breaker.retry_after or 0
        clock.advance(wait)
        lengths.append(round(wait, 6))
        (fail if outcome == "x" else succeed)(breaker)
    return lengths


def test_a_break_that_grows_is_short_again_once_the_circuit_has_closed(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(1, open_for=GrowingBreak(5, factor=2, longest=30, jitter=0))
    assert breaks(clock, breaker, "xxxxxo") == [0, 5, 10, 20, 30, 30]
    assert breaks(clock, breaker, "xxo") == [0, 5, 10]


@pytest.mark.parametrize("hand", ["close", "isolate"])
def test_a_break_is_short_again_after_a_hand_was_on_the_circuit(
    clock: FakeClock, hand: str
) -> None:
    breaker = breaker_that_opens_at(1, open_for=GrowingBreak(5, jitter=0))
    assert breaks(clock, breaker, "xx") == [0, 5]
    getattr(breaker, hand)()
    breaker.close()
    assert breaks(clock, breaker, "xx") == [0, 5]


def test_a_late_failure_of_a_period_that_is_over_makes_no_break_longer(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(1, open_for=GrowingBreak(5, jitter=0))

    def opened_meanwhile() -> None:
        fail(breaker)
        raise CUT

    fail_late = Pipeline(breaker)(opened_meanwhile)
    with pytest.raises(NetworkError):
        fail_late()
    assert breaker.retry_after == pytest.approx(5)


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 10), (0.5, 9), (1.0, 8)])
def test_chance_shortens_a_break_and_event_and_error_tell_the_real_one(
    heard: list[Event], chance: float, wait: float
) -> None:
    with FakeClock(random=lambda: chance):
        breaker = breaker_that_opens_at(1, open_for=GrowingBreak(10, jitter=0.2))
        fail(breaker)
        with pytest.raises(CircuitOpen) as raised:
            succeed(breaker)
    assert isinstance(heard[0], CircuitOpened)
    assert heard[0].retry_after == pytest.approx(wait)
    assert raised.value.retry_after == pytest.approx(wait)


def test_all_that_is_wrong_with_a_break_is_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        GrowingBreak(10, factor=0.5, longest=9, jitter=2)
    wrong = [problem["field"] for problem in raised.value.errors]
    assert wrong == ["factor", "longest", "jitter"]


def test_several_successes_can_be_asked_for(clock: FakeClock) -> None:
    breaker = opened(clock, successes_to_close=2)
    clock.advance(60)
    succeed(breaker)
    assert state_of(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)
    assert state_of(breaker) is CircuitState.CLOSED


@pytest.mark.parametrize(
    "end",
    [KeyboardInterrupt(), SystemExit(), StopIteration(), InvalidRequest(reason="x")],
    ids=repr,
)
def test_what_says_nothing_about_the_dependency_is_no_outcome(
    clock: FakeClock, end: BaseException
) -> None:
    """Neither a failure, nor a success that would break a row or close a circuit."""
    breaker = breaker_that_opens_at(2)
    for _ in range(5):
        fail(breaker, end)
    fail(breaker)
    fail(breaker, end)
    fail(breaker)
    assert state_of(breaker) is CircuitState.OPEN
    clock.advance(60)
    fail(breaker, end)
    assert state_of(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)  # the slot is free again
    assert state_of(breaker) is CircuitState.CLOSED


async def test_cancellation_is_no_outcome(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(2)
    pipeline = Pipeline(breaker)

    async def cancelled() -> None:
        task = asyncio.create_task(pipeline.acall(Scripted(Takes(60)).acall))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    fail(breaker)
    await cancelled()
    assert state_of(breaker) is CircuitState.CLOSED
    fail(breaker)
    assert state_of(breaker) is CircuitState.OPEN
    clock.advance(60)
    await cancelled()
    assert state_of(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)
    assert state_of(breaker) is CircuitState.CLOSED


async def test_a_hung_call_counts_when_its_deadline_is_inside(clock: FakeClock) -> None:
    """A deadline around the breaker cancels, which is no outcome; one inside is the outcome."""
    for strategies, state in (
        ((breaker := breaker_that_opens_at(1), Deadline(1)), CircuitState.OPEN),
        ((Deadline(1), breaker := breaker_that_opens_at(1)), CircuitState.CLOSED),
    ):
        with pytest.raises(TimeoutError):
            await Pipeline(*strategies).acall(Scripted(Takes(60)).acall)
        assert state_of(breaker_in(strategies)) is state
    assert breaker is breaker_in(strategies)


def breaker_in(strategies: tuple[object, ...]) -> CircuitBreaker:
    return next(one for one in strategies if isinstance(one, CircuitBreaker))


def test_which_errors_count_can_be_said() -> None:
    breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1), failures=ServiceUnavailable)
    fail(breaker)
    assert state_of(breaker) is CircuitState.CLOSED
    fail(breaker, ServiceUnavailable(reason="down"))
    assert state_of(breaker) is CircuitState.OPEN


def test_the_error_of_the_call_that_opens_it_is_passed_on() -> None:
    breaker = breaker_that_opens_at(1)
    with pytest.raises(NetworkError) as raised:
        Pipeline(breaker).call(Scripted(CUT))
    assert raised.value is CUT


async def test_it_can_be_asked_how_long_it_would_reject(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(1, probes=2)
    assert breaker.retry_after == 0
    fail(breaker)
    clock.advance(20)
    assert breaker.retry_after == pytest.approx(40)
    clock.advance(40)
    assert breaker.retry_after == 0  # the next call would be a probe
    probes = [asyncio.create_task(Pipeline(breaker).acall(asyncio.Event().wait)) for _ in "12"]
    await asyncio.sleep(0)
    clock.advance(20)
    assert breaker.retry_after == pytest.approx(breaker.probe_lease - 20)
    probes[0].cancel()
    await asyncio.wait(probes[:1])
    assert breaker.retry_after == 0
    breaker.isolate()
    assert breaker.retry_after is None
    probes[1].cancel()


def test_isolated_by_hand_it_rejects_until_closed_by_hand(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at()
    breaker.isolate()
    clock.advance(86_400)
    with pytest.raises(CircuitOpen) as raised:
        succeed(breaker)
    assert raised.value.retry_after is None
    breaker.close()
    succeed(breaker)


def test_a_call_that_was_out_when_it_was_isolated_does_not_matter(clock: FakeClock) -> None:
    breaker = breaker_that_opens_at(1)

    def isolated_meanwhile() -> None:
        breaker.isolate()
        raise CUT

    with pytest.raises(NetworkError):
        Pipeline(breaker).call(isolated_meanwhile)
    assert state_of(breaker) is CircuitState.ISOLATED


def test_pipelines_that_share_a_breaker_share_its_circuit() -> None:
    breaker = breaker_that_opens_at(2)
    with pytest.raises(NetworkError):
        Pipeline(breaker, name="one").call(Scripted(CUT))
    with pytest.raises(NetworkError):
        Pipeline(breaker, name="two").call(Scripted(CUT))
    assert state_of(breaker) is CircuitState.OPEN


def test_two_breakers_of_the_same_options_are_two() -> None:
    assert CircuitBreaker("a") != CircuitBreaker("a")


def test_a_retry_does_not_wait_for_a_long_break(clock: FakeClock) -> None:
    """The breaker is there to fail fast; a retry around it must not undo that."""
    breaker = opened(clock)
    with pytest.raises(CircuitOpen):
        Pipeline(Retry(), breaker).call(Scripted("answer"))
    assert clock.slept == []


def test_a_retry_waits_for_a_short_break(clock: FakeClock) -> None:
    breaker = CircuitBreaker("d", opens_on=ConsecutiveFailures(1), open_for=0.5)
    fail(breaker)
    assert Pipeline(Retry(), breaker).call(Scripted("answer")) == "answer"
    assert clock.slept == [0.5]


def test_every_change_and_rejection_is_an_event(clock: FakeClock, heard: list[Event]) -> None:
    breaker = opened(clock)
    with pytest.raises(CircuitOpen):
        succeed(breaker)
    clock.advance(60)
    succeed(breaker)
    breaker.isolate()
    breaker.isolate()
    breaker.close()
    call, hand = ({"pipeline": by, "strategy": "dependency"} for by in ("pipeline", ""))
    assert heard[0] == CircuitOpened(retry_after=60.0, **call)
    assert isinstance(heard[1], CallRejected)
    assert heard[1].retry_after == pytest.approx(60)
    assert heard[2:] == [
        CircuitHalfOpened(**call),
        CircuitClosed(**call),
        CircuitOpened(retry_after=None, **hand),
        CircuitClosed(**hand),
    ]


def test_a_listener_may_ask_the_breaker(clock: FakeClock) -> None:
    """Events are published outside the lock, after the change."""
    breaker = breaker_that_opens_at(1)
    seen: list[CircuitState] = []
    unsubscribe = subscribe(lambda _: seen.append(breaker.state))
    fail(breaker)
    unsubscribe()
    assert seen == [CircuitState.OPEN]


async def test_a_stream_counts_when_it_ends() -> None:
    breaker = breaker_that_opens_at(1)
    items = Pipeline(breaker).stream(Scripted(["a", CUT]).stream)
    assert await anext(items) == "a"
    assert state_of(breaker) is CircuitState.CLOSED
    with pytest.raises(PartialOutput):
        await anext(items)
    assert state_of(breaker) is CircuitState.OPEN


async def test_a_stream_closed_by_its_consumer_is_no_outcome(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    async with aclosing(Pipeline(breaker).stream(Scripted(["a", "b"]).stream)) as items:
        assert await anext(items) == "a"
    assert state_of(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)  # its slot is free
    assert state_of(breaker) is CircuitState.CLOSED


async def test_a_stream_that_is_never_begun_takes_no_slot(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    unused = Pipeline(breaker).stream(Scripted(["a"]).stream)
    succeed(breaker)
    assert unused is not None


def test_rules_and_break_are_in_its_phrase() -> None:
    rules = (ConsecutiveFailures(3), SlowCallRate(2.0))
    breaker = CircuitBreaker("openai", opens_on=rules, open_for=GrowingBreak(5))
    assert str(breaker) == (
        "CircuitBreaker openai at 3 failures in a row or 50% over 2s of 10+ calls in 30s"
        " for 5s x2 to 300s"
    )


@pytest.mark.parametrize("opens_on", [(), "abc", (ConsecutiveFailures(), 5), 5], ids=repr)
def test_what_is_no_rule_is_refused(opens_on: Any) -> None:
    with pytest.raises(ValidationErrors, match="opens_on"):
        CircuitBreaker("d", opens_on=opens_on)


def test_all_wrong_options_are_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        CircuitBreaker(
            "",
            opens_on=5,  # type: ignore[arg-type]
            open_for=0,
            probes=0,
            successes_to_close=0,
            probe_lease=-1,
            failures=int,  # type: ignore[arg-type]
        )
    assert [problem["field"] for problem in raised.value.errors] == [
        "name",
        "opens_on",
        "open_for",
        "probes",
        "successes_to_close",
        "probe_lease",
        "failures",
    ]


async def test_what_closing_a_stream_brings_up_is_not_counted(clock: FakeClock) -> None:
    """The consumer left it: the stream had not broken."""
    breaker = CircuitBreaker("openai", opens_on=ConsecutiveFailures(1))

    @Pipeline(breaker)
    async def answer() -> AsyncGenerator[str, None]:
        try:
            yield "a"
        finally:
            raise CUT

    stream = answer()
    await anext(stream)
    with pytest.raises(NetworkError):
        await stream.aclose()
    assert breaker.state is CircuitState.CLOSED
