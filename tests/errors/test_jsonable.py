"""Any value, in JSON's types."""

import json
import math
from enum import Enum, IntEnum, StrEnum, auto
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors.jsonable import LONGEST_LIST, jsonable


class Number(IntEnum):
    """Members that are integers too."""

    ONE = 1


class Text(StrEnum):
    """Members that are text too."""

    A = "a"


class Plain(Enum):
    """Members that are neither."""

    X = auto()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (1.5, 1.5),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ("text", "text"),
        (Number.ONE, "ONE"),
        (Text.A, "a"),
        (Plain.X, "X"),
        (("a", 1), ["a", 1]),
        ({1: ("a",)}, {"1": ["a"]}),
        (Path("a/b"), "a/b"),
        (b"raw", "b'raw'"),
        ("key: sk-12345678", "key: [redacted]"),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    """Every value has one form; enums are text and numbers that JSON lacks too."""
    assert jsonable(value) == expected


def test_long_lists_and_mappings_are_cut() -> None:
    assert len(jsonable(range(1000))) == LONGEST_LIST
    assert len(jsonable({number: number for number in range(1000)})) == LONGEST_LIST


def test_deep_values_are_cut() -> None:
    """A structure deeper than anything an error needs ends in an ellipsis, circles included."""
    circle: list[Any] = []
    circle.append(circle)

    assert json.dumps(jsonable(circle), ensure_ascii=False) == "[" * 7 + '"…"' + "]" * 7


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**64), 2**64),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
@settings(deadline=None)
def test_strict_json_encoders_take_whatever_comes_out(value: Any) -> None:
    json.dumps(jsonable(value), allow_nan=False)
