"""When somebody who fails is left alone: one that is down soon, one that fails now and then not."""

from contextlib import suppress

from stormproof.errors import NetworkError, StormproofError
from stormproof.providers.candidate import usual_breaker
from stormproof.recovery import CircuitBreaker, CircuitState, Pipeline
from stormproof.testing import FakeClock

BUSY = 0.01
"""Seconds between calls of a busy gateway."""


async def _calls(breaker: CircuitBreaker, clock: FakeClock, seconds: float, outcomes: str) -> int:
    """Call, so many seconds apart; ``x`` fails. Return how many calls were made."""
    made = 0

    async def call(outcome: str) -> None:
        nonlocal made
        made += 1
        if outcome == "x":
            raise NetworkError(reason="down")

    pipeline = Pipeline(breaker)
    for outcome in outcomes:
        clock.advance(seconds)
        with suppress(StormproofError):
            await pipeline.acall(call, outcome)
    return made


async def test_one_that_is_down_is_left_alone_after_three_calls(clock: FakeClock) -> None:
    breaker = usual_breaker("house")
    assert await _calls(breaker, clock, 0.1, "x" * 8) == 3


async def test_one_that_fails_now_and_then_is_not(clock: FakeClock) -> None:
    """Among many calls, several failures come in a row by chance."""
    breaker = usual_breaker("house")
    assert await _calls(breaker, clock, BUSY, ("." * 20 + "xxxxx") * 40) == 1000


async def test_one_that_goes_down_under_load_is_noticed_soon(clock: FakeClock) -> None:
    """Six in a row happen by no chance."""
    breaker = usual_breaker("house")
    await _calls(breaker, clock, BUSY, "." * 1000)
    assert await _calls(breaker, clock, BUSY, "x" * 100) == 6


async def test_one_that_takes_long_to_fail_is_noticed_as_well(clock: FakeClock) -> None:
    breaker = usual_breaker("house")
    assert await _calls(breaker, clock, 10, "x" * 6) == 6
    assert breaker.state is CircuitState.OPEN
