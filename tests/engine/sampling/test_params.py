"""Sampling parameters are refused together, each by name."""

import math
from typing import Any

import pytest

from stormproof.engine.sampling.params import MAX_STOP_LENGTH, MAX_STOP_STRINGS, SamplingParams
from stormproof.errors import ValidationErrors


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", "hot"),
        ("temperature", True),
        ("temperature", None),
        ("top_k", -1),
        ("top_k", 1.5),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("presence_penalty", 3),
        ("frequency_penalty", -3),
        ("max_tokens", 0),
        ("max_tokens", None),
        ("seed", 2**64),
        ("logprobs", 21),
        ("stop", ["a list"]),
        ("stop", ("x",) * (MAX_STOP_STRINGS + 1)),
        ("stop.0", ("",)),
        ("stop.1", ("fine", "x" * (MAX_STOP_LENGTH + 1))),
        ("stop.0", (5,)),
        ("logit_bias", dict.fromkeys(range(2000), 1.0)),
        ("logit_bias.7", {7: math.nan}),
        ("logit_bias.7", {7: 101}),
    ],
)
def test_a_value_out_of_range_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationErrors) as caught:
        SamplingParams(**{field.partition(".")[0]: value})
    assert [error["field"] for error in caught.value.errors] == [field]


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ValidationErrors) as caught:
        SamplingParams(temperature=-1, top_p=2, max_tokens=0, stop=("",))
    fields = {error["field"] for error in caught.value.errors}
    assert fields == {"temperature", "top_p", "max_tokens", "stop.0"}


def test_the_limits_themselves_are_allowed() -> None:
    SamplingParams(
        temperature=0,
        top_k=0,
        top_p=0,
        min_p=1,
        seed=-(2**63),
        logprobs=20,
        max_tokens=1,
        stop=("x" * MAX_STOP_LENGTH,) * MAX_STOP_STRINGS,
        logit_bias={1: -100, 2: 100},
    )
