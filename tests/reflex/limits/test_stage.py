"""Requests and tokens per minute, and requests at once."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from stormproof.errors import (
    CostTooHigh,
    InvalidInput,
    NetworkError,
    RateLimitExceeded,
    StormproofError,
    http_headers,
)
from stormproof.reflex import (
    Caller,
    Companion,
    Limits,
    LimitSettings,
    LimitsStage,
    LocalGauges,
    Passed,
    Rejected,
    Scope,
)
from stormproof.testing import FakeClock
from support.reflex_calls import CALLER, answered, call, entered, failed


def stage(**scopes: LimitSettings) -> LimitsStage:
    return LimitsStage(Limits({Scope(name): one for name, one in scopes.items()}), LocalGauges())


def per_minute(requests: int | None = None, tokens: int | None = None) -> LimitSettings:
    return LimitSettings(requests_per_minute=requests, tokens_per_minute=tokens)


async def let_in(stage: LimitsStage, caller: Caller = CALLER, **asked: Any) -> Companion:
    outcome = await entered(stage, call(caller, **asked))
    assert isinstance(outcome, Passed)
    assert outcome.companion
    return outcome.companion


async def refused(stage: LimitsStage, caller: Caller = CALLER, **asked: Any) -> StormproofError:
    outcome = await entered(stage, call(caller, **asked))
    assert isinstance(outcome, Rejected)
    return outcome.error


async def test_so_many_requests_are_let_in_and_the_next_is_told_how_long_to_wait(
    clock: FakeClock,
) -> None:
    """After that time it is let in."""
    limited = stage(key=per_minute(3))
    for _ in range(3):
        await let_in(limited)
    error = await refused(limited)
    assert isinstance(error, RateLimitExceeded)
    assert error.retry_after == pytest.approx(20)
    assert "3 requests per minute for this key" in str(error.message)
    clock.advance(20)
    await let_in(limited)


async def test_each_has_a_limit_of_its_own(clock: FakeClock) -> None:
    """What one key has used, another has left; a user of another tenant is somebody else."""
    limited = stage(key=per_minute(1), user=per_minute(1))
    await let_in(limited)
    await refused(limited)
    await let_in(limited, Caller("acme", "other", "bob"))
    await let_in(limited, Caller("else", "key", "ann"))


async def test_what_one_limit_refuses_the_others_have_left(clock: FakeClock) -> None:
    """All together, or none."""
    limited = stage(key=per_minute(2, 1000), user=per_minute(1), all=per_minute(2))
    await let_in(limited)
    for _ in range(5):
        await refused(limited)
    await let_in(limited, Caller("acme", "key", "bob"))
    error = await refused(limited, Caller("acme", "key", "eve"))
    assert error.retry_after == pytest.approx(30)


async def test_tokens_are_taken_before_they_are_counted_and_corrected_afterwards(
    clock: FakeClock,
) -> None:
    """What a call did not need, others can have."""
    limited = stage(key=per_minute(tokens=100))
    companion = await let_in(limited, tokens=80)
    assert isinstance(await refused(limited, tokens=30), RateLimitExceeded)
    companion.settle(answered(20))
    await let_in(limited, tokens=80)


async def test_a_call_that_took_more_than_was_thought_is_paid_by_the_next(
    clock: FakeClock,
) -> None:
    """It waits as long as that takes."""
    limited = stage(key=per_minute(tokens=60))
    companion = await let_in(limited, tokens=10)
    companion.settle(answered(60))
    assert (await refused(limited, tokens=30)).retry_after == pytest.approx(30)


@pytest.mark.parametrize(("counted", "wait"), [(10**15, 2), (-(10**15), None)])
async def test_a_count_that_cannot_be_right_locks_nobody_out(
    clock: FakeClock, counted: int, wait: float | None
) -> None:
    """Nor does it give anybody more than a minute's worth."""
    limited = stage(key=per_minute(tokens=60))
    companion = await let_in(limited, tokens=1)
    companion.settle(answered(counted))
    if wait:
        assert (await refused(limited, tokens=1)).retry_after == pytest.approx(wait)
    else:
        await let_in(limited, tokens=60)
        await refused(limited, tokens=1)


@pytest.mark.parametrize(
    ("ending", "left"),
    [
        (failed(InvalidInput(reason="hostile"), asked=()), 100),
        (failed(NetworkError(reason="refused")), 100),
        (failed(asyncio.CancelledError()), 40),
        (failed(asyncio.CancelledError(), asked=()), 100),
        (answered(None), 40),
        (answered(5, error=asyncio.CancelledError()), 40),
        (replace(answered(None, rung="cache"), asked=False), 100),
    ],
    ids=[
        *("turned away", "nobody reached", "caller gone", "caller gone before", "not counted"),
        *("counted so far", "a stage has answered"),
    ],
)
async def test_tokens_are_given_back_where_nobody_worked(
    clock: FakeClock, ending: Any, left: int
) -> None:
    """Where somebody may have, and nobody counted, they stay taken. The request was made."""
    limited = stage(key=per_minute(requests=2, tokens=100))
    companion = await let_in(limited, tokens=60)
    companion.settle(ending)
    headers = (await let_in(limited, tokens=1)).headers()
    assert headers[b"x-ratelimit-remaining-tokens"] == b"%d" % (left - 1)
    assert headers[b"x-ratelimit-remaining-requests"] == b"0"


async def test_so_many_are_under_way_at_once(clock: FakeClock) -> None:
    """A place is free when a call has ended, however it did."""
    limited = stage(key=LimitSettings(concurrency=2))
    first, _ = await let_in(limited), await let_in(limited)
    error = await refused(limited)
    assert error.retry_after == 1
    assert "2 requests at once" in error.message
    first.settle(failed(asyncio.CancelledError()))
    await let_in(limited)
    await refused(limited)


async def test_what_never_fits_is_not_worth_waiting_for(clock: FakeClock) -> None:
    """It is the request that is wrong."""
    error = await refused(stage(user=per_minute(tokens=100)), tokens=101)
    assert isinstance(error, CostTooHigh)
    assert error.http_status == 400


async def test_headers_tell_of_the_limit_with_the_least_left(clock: FakeClock) -> None:
    """By the names that OpenAI's clients know; and the refusal has them too."""
    limited = stage(key=per_minute(10, 1000), user=per_minute(4))
    headers = (await let_in(limited, tokens=100)).headers()
    assert headers == {
        b"x-ratelimit-limit-requests": b"4",
        b"x-ratelimit-remaining-requests": b"3",
        b"x-ratelimit-reset-requests": b"15.000s",
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"900",
        b"x-ratelimit-reset-tokens": b"6.000s",
    }
    error = await refused(limited, tokens=950)
    assert http_headers(error).items() >= {
        ("retry-after", "3"),
        ("x-ratelimit-remaining-requests", "3"),
        ("x-ratelimit-remaining-tokens", "900"),
    }


async def test_headers_tell_how_it_was_when_the_call_was_let_in(clock: FakeClock) -> None:
    """Not what others have taken since, nor what has come back."""
    limited = stage(key=per_minute(4))
    first, _ = await let_in(limited), await let_in(limited)
    clock.advance(60)
    assert first.headers()[b"x-ratelimit-remaining-requests"] == b"3"


async def test_what_others_use_is_not_told(clock: FakeClock) -> None:
    """Neither how much of what all share is left, nor how much that is."""
    limited = stage(all=per_minute(7), model=per_minute(7))
    for _ in range(7):
        assert not (await let_in(limited)).headers()
    error = await refused(limited)
    assert "7" not in error.message
    assert set(http_headers(error)) == {"retry-after"}


async def test_who_has_no_limit_goes_by_unseen(clock: FakeClock) -> None:
    """Nothing is remembered of him."""
    assert stage().enter(call()) == Passed()


async def test_in_the_process_nothing_is_waited_for(clock: FakeClock) -> None:
    """Neither by who is let in, nor by who is refused."""
    limited = stage(key=per_minute(1))
    assert isinstance(limited.enter(call()), Passed)
    assert isinstance(limited.enter(call()), Rejected)


async def test_no_more_are_remembered_than_there_is_room_for(clock: FakeClock) -> None:
    """One who was forgotten begins anew."""
    limits = Limits({Scope.USER: per_minute(1)})
    limited = LimitsStage(limits, LocalGauges(most=2))
    for user in ("ann", "bob", "eve", "ann"):
        await let_in(limited, Caller("t", None, user))


async def test_other_limits_give_nobody_a_new_minute(clock: FakeClock) -> None:
    """Half of what there was is used: so is half of what there is."""
    gauges = LocalGauges()
    before = LimitsStage(Limits({Scope.KEY: per_minute(4, 100)}), gauges)
    after = LimitsStage(Limits({Scope.KEY: per_minute(8, 100)}), gauges)
    for _ in range(2):
        await let_in(before, tokens=25)
    headers = (await let_in(after, tokens=25)).headers()
    assert headers[b"x-ratelimit-remaining-requests"] == b"3"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"25"


async def test_other_limits_hold_from_the_next_call_on(clock: FakeClock) -> None:
    """Places stay taken."""
    gauges = LocalGauges()
    before = LimitsStage(Limits({Scope.KEY: LimitSettings(concurrency=1)}), gauges)
    after = LimitsStage(Limits({Scope.KEY: LimitSettings(concurrency=2)}), gauges)
    companion = await let_in(before)
    await let_in(after)
    await refused(after)
    companion.settle(answered(1))
    await let_in(after)
