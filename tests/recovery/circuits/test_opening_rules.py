"""When a circuit opens."""

from collections.abc import Sequence

import pytest

from stormproof.errors import ValidationErrors
from stormproof.recovery import ConsecutiveFailures, FailureRate, LastCalls, SlowCallRate
from stormproof.recovery.circuits.opening_rules import OpeningRule, counter_of

FAILED, FINE = True, False


def trips(*rules: OpeningRule, outcomes: Sequence[tuple[bool, float]]) -> list[bool]:
    """Return, outcome by outcome, whether it was one too many."""
    counter = counter_of(rules, 0)
    return [counter.count(failed, took, 0) for failed, took in outcomes]


def test_failures_with_no_success_between_them_are_a_row() -> None:
    row = [FAILED, FAILED, FINE, FAILED, FAILED, FAILED]
    outcomes = [(failed, 0.0) for failed in row]
    assert trips(ConsecutiveFailures(3), outcomes=outcomes) == [False] * 5 + [True]


def test_a_rate_says_nothing_about_few_calls() -> None:
    rule = FailureRate(0.5, minimum_calls=4)
    assert trips(rule, outcomes=[(FAILED, 0)] * 4) == [False, False, False, True]


def test_exactly_the_rate_is_too_much() -> None:
    rule = FailureRate(0.1, minimum_calls=10)
    assert trips(rule, outcomes=[*[(FINE, 0)] * 9, (FAILED, 0)])[-1]


def test_it_is_a_failure_that_is_one_too_many() -> None:
    """A success never opens a circuit, even one that makes up the minimum of calls."""
    rule = FailureRate(0.5, minimum_calls=2)
    assert trips(rule, outcomes=[(FAILED, 0), (FINE, 0), (FAILED, 0)]) == [False, False, True]


def test_failures_that_the_window_of_calls_has_left_behind_do_not_count() -> None:
    rule = FailureRate(0.5, window=LastCalls(4), minimum_calls=4)
    outcomes = [(FAILED, 0), (FINE, 0), (FINE, 0), (FINE, 0), (FAILED, 0), (FAILED, 0)]
    assert trips(rule, outcomes=outcomes) == [False] * 5 + [True]


def test_failures_that_the_window_of_seconds_has_left_behind_do_not_count() -> None:
    counter = FailureRate(0.5, window=10, minimum_calls=2).counter(now=0)
    assert [counter.count(FAILED, 0, now) for now in (0, 11, 19)] == [False, False, True]


def test_a_slow_call_is_slow_whether_it_failed_or_not() -> None:
    rule = SlowCallRate(2.0, rate=0.5, minimum_calls=4)
    outcomes = [(FAILED, 2.1), (FINE, 2.0), (FAILED, 0.1), (FINE, 2.1)]
    assert trips(rule, outcomes=outcomes) == [False, False, False, True]


def test_a_quick_failure_is_not_slow() -> None:
    assert not any(trips(SlowCallRate(2.0, minimum_calls=1), outcomes=[(FAILED, 1.0)] * 20))


def test_of_several_rules_each_sees_every_call() -> None:
    """The row goes on counting while the rate is met, and the other way round."""
    rules = (ConsecutiveFailures(3), SlowCallRate(1.0, rate=1.0, minimum_calls=2))
    slow_failure, failure, slow = (FAILED, 2.0), (FAILED, 0.0), (FINE, 2.0)
    assert trips(*rules, outcomes=[slow_failure, slow_failure, failure]) == [False, True, True]
    assert trips(*rules, outcomes=[slow, slow]) == [False, True]


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0},
        {"rate": 1.1},
        {"rate": float("nan")},
        {"window": 0},
        {"window": "30"},
        {"minimum_calls": 0},
        {"window": LastCalls(5), "minimum_calls": 6},
    ],
    ids=str,
)
def test_a_rate_must_make_sense(options: dict[str, float]) -> None:
    with pytest.raises(ValidationErrors):
        FailureRate(**options)  # type: ignore[arg-type]
    with pytest.raises(ValidationErrors):
        SlowCallRate(1.0, **options)  # type: ignore[arg-type]


def test_all_that_is_wrong_with_a_rate_of_slow_calls_is_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        SlowCallRate(0, rate=2, window=-1, minimum_calls=0)
    wrong = ["slower_than", "rate", "window", "minimum_calls"]
    assert [problem["field"] for problem in raised.value.errors] == wrong


def test_a_row_must_make_sense() -> None:
    with pytest.raises(ValidationErrors):
        ConsecutiveFailures(0)


@pytest.mark.parametrize(
    ("rule", "phrase"),
    [
        (ConsecutiveFailures(3), "3 failures in a row"),
        (FailureRate(), "50% of 10+ calls in 30s"),
        (FailureRate(0.2, window=LastCalls(50)), "20% of 10+ calls of the last 50"),
        (SlowCallRate(2.0), "50% over 2s of 10+ calls in 30s"),
    ],
    ids=str,
)
def test_a_rule_reads_as_a_phrase(rule: OpeningRule, phrase: str) -> None:
    assert str(rule) == phrase
