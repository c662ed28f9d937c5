"""Random histories of a retry, against a plain account of what it promises."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NetworkError,
    RateLimitExceeded,
    ResultRejected,
    StormproofError,
)
from stormproof.recovery import Deadline, GiveUpReason, Pipeline, Retry, attempts
from stormproof.testing import FakeClock, Scripted, Takes

MAX_DELAY = 4.0
DEADLINE = 9.9  # no sum of times above, so that none ends just then


class Step(NamedTuple):
    """What one attempt does.

    Attributes:
        seconds: How long it takes.
        raises: The error, None if it returns.
        accepted: Whether what it returns will do.
    """

    seconds: float
    raises: StormproofError | None
    accepted: bool

    @property
    def wait(self) -> float | None:
        return self.raises.retry_after if self.raises else None


class End(NamedTuple):
    """How a call ends: after how many attempts, what waits, and with which last note."""

    calls: int
    waits: list[float]
    note: str | None


def given_up(calls: int, waits: list[float], reason: GiveUpReason) -> End:
    return End(calls, waits, f"gave up: {reason.replace('_', ' ')}")


failures = st.one_of(
    st.builds(NetworkError, reason=st.just("cut")),
    st.builds(InvalidRequest, reason=st.just("no")),
    st.builds(RateLimitExceeded, retry_after=st.sampled_from([0.0, 0.5, 3.0, 4.5, 60.0])),
)
steps = st.builds(
    Step,
    seconds=st.sampled_from([0.0, 0.25, 1.5]),
    raises=st.none() | failures,
    accepted=st.booleans(),
)


def expected(script: list[Step], most: int, delay: float, *, cuts: bool) -> End:
    """Work out, attempt by attempt, how the call must end.

    Args:
        script: What the attempts do; the last one repeats.
        most: How many attempts.
        delay: The first wait.
        cuts: Whether the deadline cuts an attempt.
    """
    now, waits = 0.0, list[float]()
    for number in range(1, most + 1):
        step = script[min(number, len(script)) - 1]
        now += step.seconds
        if cuts and now > DEADLINE:
            return End(number, waits, f"cut short in attempt {number}")
        if step.raises is None and step.accepted:
            return End(number, waits, None)
        if step.raises is not None and not step.raises.retriable:
            return given_up(number, waits, GiveUpReason.NOT_RETRIABLE)
        if number == most:
            break
        drawn = min(delay * 2 ** (number - 1), MAX_DELAY)
        wait = drawn if step.wait is None else step.wait
        # What was asked for takes the place of a draw: the longest wait has not grown.
        delay = delay if step.wait is None else delay / 2
        if wait > MAX_DELAY:
            return given_up(number, waits, GiveUpReason.WAIT_TOO_LONG)
        if wait >= DEADLINE - now:
            return given_up(number, waits, GiveUpReason.DEADLINE_TOO_NEAR)
        now += wait
        waits.append(wait)
    return given_up(most, waits, GiveUpReason.ATTEMPTS_SPENT)


def call(pipeline: Pipeline, fetch: Scripted) -> Any:
    return pipeline.call(fetch)


def acall(pipeline: Pipeline, fetch: Scripted) -> Any:
    return asyncio.run(pipeline.acall(fetch.acall))


@pytest.mark.parametrize("ask", [call, acall])
@given(
    script=st.lists(steps, min_size=1, max_size=5),
    most=st.integers(1, 6),
    delay=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_a_retry_ends_as_it_must(
    ask: Callable[[Pipeline, Scripted], Any], script: list[Step], most: int, delay: float
) -> None:
    """So many calls, these waits, this reason, and the record of every attempt."""
    end = expected(script, most, delay, cuts=ask is acall)
    fetch = Scripted(*(Takes(step.seconds, step.raises or step) for step in script))
    retry = Retry(
        attempts=most,
        initial_delay=delay,
        max_delay=MAX_DELAY,
        retry_on_result=lambda step: not step.accepted,
    )
    with FakeClock(random=lambda: 1.0):
        try:
            result = ask(Pipeline(Deadline(DEADLINE), retry, name="ask"), fetch)
        except StormproofError as error:
            failed: StormproofError | None = error
        else:
            failed = None
            assert result.accepted
    assert len(fetch.calls) == end.calls
    if failed is None:
        assert end.note is None
        return
    last = script[min(end.calls, len(script)) - 1]
    if isinstance(failed, ResultRejected):
        assert failed.result == last
    elif not isinstance(failed, DeadlineExceeded):
        assert failed is last.raises
    tried = attempts(failed)
    if tried:
        assert [attempt.wait for attempt in tried] == [*end.waits, None]
        assert [attempt.number for attempt in tried] == list(range(1, end.calls + 1))
        assert [attempt.cut for attempt in tried][-1] == isinstance(failed, DeadlineExceeded)
        assert failed.__notes__[-1] == end.note
    else:  # nothing was retried, nor could have been
        assert end.calls == 1
        assert end.note in {"gave up: not retriable", "cut short in attempt 1"}
