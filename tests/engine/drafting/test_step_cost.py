"""What a step costs is learnt from the steps that were made."""

import random

import pytest

from stormproof.engine.drafting.step_cost import StepCost


def test_before_anything_was_measured_nothing_costs_anything() -> None:
    assert (StepCost().row_seconds(), StepCost().step_seconds(3)) == (0, 0)


def test_a_line_is_found_through_noise() -> None:
    chance = random.Random(0)
    cost = StepCost()
    for _ in range(300):
        rows = chance.randint(1, 9)
        cost.record(rows, (2 + 0.3 * rows) * chance.uniform(0.9, 1.1))
    assert cost.row_seconds() == pytest.approx(0.3, rel=0.2)
    assert cost.step_seconds(20) == pytest.approx(8, rel=0.2)


def test_rows_are_hoped_to_be_cheap_until_steps_of_several_sizes_were_made() -> None:
    cost = StepCost()
    for _ in range(50):
        cost.record(1, 2.0)
    assert cost.row_seconds() == pytest.approx(0.1)
    for _ in range(3):
        cost.record(5, 10.0)
    assert cost.row_seconds() == pytest.approx(2, rel=0.1)


def test_it_forgets_what_is_long_ago() -> None:
    cost = StepCost()
    for seconds in (9.0, 1.0):
        for step in range(600):
            cost.record(1 + step % 4, seconds)
    assert cost.step_seconds(2) == pytest.approx(1, rel=0.01)
    assert cost.row_seconds() == pytest.approx(0, abs=0.02)


def test_more_rows_never_cost_less() -> None:
    cost = StepCost()
    for step in range(100):
        cost.record(1 + step % 2, 2.0 - step % 2)
    assert cost.row_seconds() == 0
