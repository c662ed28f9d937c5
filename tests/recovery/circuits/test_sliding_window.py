"""How many of the last calls were marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ValidationErrors
from stormproof.recovery import LastCalls
from stormproof.recovery.circuits.sliding_window import CallWindow, TimeWindow

SECONDS = 10.0


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20))
def test_a_window_of_calls_holds_exactly_the_last_ones(history: list[bool], size: int) -> None:
    window = CallWindow(size)
    for number, marked in enumerate(history, start=1):
        window.add(now=0)
        if marked:
            window.mark()
        last = history[:number][-size:]
        assert (window.calls, window.marked) == (len(last), sum(last))


@given(st.lists(st.tuples(st.floats(0, 3 * SECONDS), st.booleans()), max_size=60))
def test_a_window_of_seconds_holds_nine_tenths_of_them_and_nothing_older(
    history: list[tuple[float, bool]],
) -> None:
    now = 1000.0
    window = TimeWindow(SECONDS, now)
    seen: list[tuple[float, bool]] = []
    for pause, marked in history:
        now += pause
        seen.append((now, marked))
        window.add(now)
        if marked:
            window.mark()
        allowed = {_counts(seen, now - age) for age in _ages(now, seen)}
        assert (window.calls, window.marked) in allowed


def _ages(now: float, seen: list[tuple[float, bool]]) -> list[float]:
    """Every length of window that is allowed and that changes what is in it."""
    least = 0.9 * SECONDS
    return [least, SECONDS, *(now - at for at, _ in seen if least <= now - at <= SECONDS)]


def _counts(seen: list[tuple[float, bool]], since: float) -> tuple[int, int]:
    inside = [marked for at, marked in seen if at >= since]
    return len(inside), sum(inside)


@pytest.mark.parametrize("seconds", [5e-324, 1e-308, 1e-9])
def test_a_window_may_be_shorter_than_any_call(seconds: float) -> None:
    window = TimeWindow(seconds, 0.0)
    for now in (0.0, 1.0, 100.0):
        window.add(now)
        assert window.calls <= 2


@pytest.mark.parametrize("calls", [0, 100_001, 2.5, True])
def test_a_window_of_calls_must_make_sense(calls: int) -> None:
    with pytest.raises(ValidationErrors):
        LastCalls(calls)
