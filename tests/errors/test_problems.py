"""Collecting everything that is wrong before saying so."""

import pytest

from stormproof.errors import Problems, ValidationErrors


def test_nothing_wrong_raises_nothing() -> None:
    problems = Problems()
    problems.check(fine=True, field="size", message="must be positive")
    problems.raise_if_any()

    assert problems.found == ()


def test_all_that_is_wrong_is_raised_at_once() -> None:
    """Field, text and kind of each problem, in the order they were found."""
    problems = Problems()
    problems.add("name", "is required", "missing")
    problems.check("", "model", "must be given")

    with pytest.raises(ValidationErrors) as raised:
        problems.raise_if_any("the engine cannot start")

    assert raised.value.errors == (
        {"field": "name", "message": "is required", "type": "missing"},
        {"field": "model", "message": "must be given", "type": "value_error"},
    )
    assert str(raised.value) == (
        "the engine cannot start with 2 errors: name: is required; model: must be given"
    )


def test_what_was_found_cannot_be_changed_from_outside() -> None:
    problems = Problems()
    before = problems.found
    problems.add("a", "b")

    assert before == ()
    assert len(problems.found) == 1
