"""A value from a file is used only when it has the right type and is in bounds."""

from collections.abc import Callable
from typing import Any

import pytest

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.untrusted import Untrusted

NOT_INTEGERS = [0, 9, -1, 2.0, "2", True, [2]]
NOT_NUMBERS = [0, -1.0, 8.1, float("nan"), float("inf"), "2", True, [2]]
NOT_TOKENS = [-1, True, "2", 1.5, [1, "2"], {"a": 1}]


@pytest.mark.parametrize("value", NOT_INTEGERS)
def test_what_is_not_an_integer_in_bounds_is_refused(value: Any) -> None:
    with pytest.raises(Unusable, match="size must be an integer from 1 to 8"):
        Untrusted({"size": value}).integer("size", high=8)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_not_a_number_in_bounds_is_refused(value: Any) -> None:
    with pytest.raises(Unusable, match="theta must be a number over 0 and up to 8"):
        Untrusted({"theta": value}).number("theta", high=8)


@pytest.mark.parametrize("value", NOT_TOKENS)
def test_what_is_no_token_id_is_refused(value: Any) -> None:
    with pytest.raises(Unusable, match="eos must be a token id"):
        Untrusted({"eos": value}).token_ids("eos")


@pytest.mark.parametrize(
    "read",
    [
        lambda values: values.flag("key", default=True),
        lambda values: values.text("key"),
        lambda values: values.section("key"),
    ],
    ids=["flag", "text", "section"],
)
def test_a_value_of_another_type_is_refused(read: Callable[[Untrusted], object]) -> None:
    with pytest.raises(Unusable, match="key must be"):
        read(Untrusted({"key": 7}))


def test_null_is_the_same_as_nothing() -> None:
    values = Untrusted({"size": None})
    assert values.integer("size", 3, high=8) == 3
    assert "size" not in values
    assert values.token_ids("size") == frozenset()
    with pytest.raises(Unusable, match="size is missing"):
        values.integer("size", high=8)


def test_an_end_of_text_is_one_token_or_several() -> None:
    values = Untrusted({"one": 2, "several": [2, 3]})
    assert values.token_ids("one") == {2}
    assert values.token_ids("several") == {2, 3}
