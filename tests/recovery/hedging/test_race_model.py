"""A hedged call against a plain model: how it ends, when, and after how many attempts."""

import asyncio
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidRequest, NetworkError, ServiceUnavailable
from stormproof.recovery import Hedge, Pipeline
from stormproof.testing import FakeClock

outcomes = st.sampled_from(["answer", "retriable", "busy", "wrong"])
scripts = st.lists(st.tuples(st.integers(1, 40), outcomes), min_size=1, max_size=5)
delays = st.integers(1, 30)  # thousands of units


def model(script: list[tuple[int, str]], delay: int, extra: int) -> tuple[str, int, int]:
    """Return how a call ends, when, and how many attempts it made, in whole units of time."""
    running = {1: script[0][0]}
    started, most = 1, 1 + extra
    now, due = 0, delay

    def begin() -> None:
        nonlocal started, due
        if started < most:
            started += 1
            running[started] = now + script[started - 1][0]
            due = now + delay

    while True:
        ends = min(running.values())
        if started < most and due < ends:
            now = due
            begin()
            continue
        now = ends
        number = next(one for one, at in running.items() if at == ends)
        del running[number]
        outcome = script[number - 1][1]
        if outcome in ("answer", "wrong"):
            return f"{outcome} {number}", now, started
        if outcome == "busy":
            most = started
        begin()
        if not running:
            return f"{script[0][1]} 1", now, started


@given(scripts, delays, st.integers(1, 4))
def test_a_race_is_that_of_a_plain_model(
    script: list[tuple[int, str]], delay: int, extra: int
) -> None:
    # Offsets no two sums of which are equal: nothing happens at the same time as anything else.
    script = (script * 5)[:5]
    script = [(1000 * took + 2**number, end) for number, (took, end) in enumerate(script)]
    delay *= 1000
    expected = model(script, delay, extra)

    async def play() -> tuple[str, int, int]:
        begun = clock.now()
        calls = count(1)

        async def ask() -> str:
            number = next(calls)
            took, end = script[number - 1]
            await clock.asleep(took)
            reason = f"{end} {number}"
            if end == "retriable":
                raise NetworkError(reason=reason)
            if end == "busy":
                raise ServiceUnavailable(reason=reason, retry_after=1)
            if end == "wrong":
                raise InvalidRequest(reason=reason)
            return reason

        try:
            result = await Pipeline(Hedge(delay=delay, extra=extra)).acall(ask)
        except (NetworkError, ServiceUnavailable, InvalidRequest) as error:
            result = error.reason
        return result, round(clock.now() - begun), next(calls) - 1

    with FakeClock() as clock:
        assert asyncio.run(play()) == expected
