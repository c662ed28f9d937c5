"""When a circuit opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ValidationErrors
from stormproof.recovery import ConsecutiveFailures, FailureRate
from stormproof.testing import FakeClock


def test_a_rate_says_nothing_about_few_calls(clock: FakeClock) -> None:
    counter = FailureRate(0.5, minimum_calls=4).counter(clock.now())
    assert [counter.count(True, 0, clock.now()) for _ in range(4)] == [False, False, False, True]


def test_exactly_the_rate_is_too_much(clock: FakeClock) -> None:
    counter = FailureRate(0.1, minimum_calls=10).counter(clock.now())
    for _ in range(9):
        counter.count(False, 0, clock.now())
    assert counter.count(True, 0, clock.now())


def test_old_outcomes_leave_the_window(clock: FakeClock) -> None:
    counter = FailureRate(0.5, window=10, minimum_calls=2).counter(clock.now())
    counter.count(True, 0, clock.now())
    clock.advance(11)
    assert not counter.count(True, 0, clock.now())
    clock.advance(8)
    assert counter.count(True, 0, clock.now())


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.booleans()),
        max_size=60,
    )
)
def test_the_window_holds_what_a_plain_list_would(history: list[tuple[float, bool]]) -> None:
    """Between nine tenths of the window and all of it, and never anything older."""
    with FakeClock() as clock:
        rule = FailureRate(0.5, window=10, minimum_calls=3)
        counter = rule.counter(clock.now())
        seen: list[tuple[float, bool]] = []
        for pause, fails in history:
            clock.advance(pause)
            seen.append((clock.now(), fails))
            if not fails:
                counter.count(False, 0, clock.now())
                continue
            trips = counter.count(True, 0, clock.now())
            verdicts = {_trips(rule, seen, clock.now() - age) for age in _ages(seen, clock.now())}
            assert trips in verdicts


def _ages(seen: list[tuple[float, bool]], now: float) -> list[float]:
    """Every length of window that the rule allows and that changes what is in it."""
    return [9.0, 10.0, *(now - at for at, _ in seen if 9.0 <= now - at <= 10.0)]


def _trips(rule: FailureRate, seen: list[tuple[float, bool]], since: float) -> bool:
    outcomes = [fails for at, fails in seen if at >= since]
    enough = len(outcomes) >= rule.minimum_calls
    return enough and sum(outcomes) / len(outcomes) >= rule.rate


@pytest.mark.parametrize(
    "options",
    [{"rate": 0}, {"rate": 1.1}, {"window": 0}, {"minimum_calls": 0}, {"rate": float("nan")}],
    ids=str,
)
def test_a_rate_must_make_sense(options: dict[str, float]) -> None:
    with pytest.raises(ValidationErrors):
        FailureRate(**options)  # type: ignore[arg-type]


def test_a_row_must_make_sense() -> None:
    with pytest.raises(ValidationErrors):
        ConsecutiveFailures(0)
