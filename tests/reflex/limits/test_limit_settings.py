"""What somebody may use, as settings and keys have it."""

import pytest

from stormproof.errors import ValidationErrors
from stormproof.reflex import LimitSettings


def test_what_is_said_of_one_goes_over_what_holds_for_all() -> None:
    """Where nothing is said, that holds."""
    general = LimitSettings(requests_per_minute=10, money_per_day=5.0)
    own = LimitSettings(requests_per_minute=100, concurrency=2)
    together = LimitSettings(requests_per_minute=100, concurrency=2, money_per_day=5.0)
    assert own.over(general) == together


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": 10**9 + 1},
        {"concurrency": True},
        {"money_per_day": -0.01},
        {"money_per_month": float("nan")},
        {"money_per_month": 9_000_001.0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """By the name of the field."""
    with pytest.raises(ValidationErrors, match=next(iter(wrong))):
        LimitSettings(**wrong)  # type: ignore[arg-type]


def test_a_budget_of_nothing_is_one() -> None:
    """It is not the same as none."""
    assert LimitSettings(money_per_day=0).budgets
    assert not LimitSettings().budgets
