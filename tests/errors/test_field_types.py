"""Values from a document, held against the types of fields."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from stormproof.errors import ClientError, FieldProblem
from stormproof.errors.field_types import Malformed, decode_fields


class Gear(StrEnum):
    """Gears by their text."""

    FIRST = "first"


class Seat(TypedDict):
    """Where somebody sits."""

    row: int
    name: NotRequired[str]


def decoded(annotation: Any, value: Any) -> Any:
    namespace = {"code": "SAMPLE", "__annotations__": {"field": annotation}, "field": None}
    cls: type[ClientError] = type("Sample", (ClientError,), namespace)
    return decode_fields(cls, {"field": value})["field"]


PROBLEM = {"field": "a", "message": "b", "type": "c"}


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str, "a", "a"),
        (int, 1, 1),
        (bool, False, False),
        (float, 1.5, 1.5),
        (float, 1, 1.0),
        (float, "inf", math.inf),
        (str | None, None, None),
        (str | int, 1, 1),
        (Annotated[str | None, "internal"], "a", "a"),
        (Gear, "first", Gear.FIRST),
        (Enum | str, "first", "first"),
        (Literal["a", 1], 1, 1),
        (Sequence[str], ["a"], ("a",)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (list[int], [1, 2], [1, 2]),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (dict[str, Sequence[str]], {"a": ["b"]}, {"a": ("b",)}),
        (FieldProblem, PROBLEM, PROBLEM),
        (FieldProblem, PROBLEM | {"new": 1}, PROBLEM),
        (Seat, {"row": 1}, {"row": 1}),
    ],
)
def test_what_fits_is_taken(annotation: Any, value: Any, expected: Any) -> None:
    """Each kind of annotation a field may have reads what ``to_wire`` writes for it."""
    result = decoded(annotation, value)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, 1),
        (str, None),
        (int, "1"),
        (int, 1.0),
        (int, True),
        (int, 2**63),
        (float, "fast"),
        (float, []),
        (float, 10**400),
        (bool, 1),
        (str | int, []),
        (Gear, "second"),
        (Gear, ["first"]),
        (Literal["a", 1], True),
        (Literal["a"], ["a"]),
        (Sequence[str], "a"),
        (Sequence[str], {"a": 1}),
        (Sequence[str], [1]),
        (Mapping[str, int], [1]),
        (Mapping[str, int], {1: 1}),
        (FieldProblem, {"field": "a"}),
        (FieldProblem, [PROBLEM]),
        (Seat, {"row": 1, "name": 2}),
        (datetime, "2024-01-01"),
    ],
)
def test_what_does_not_fit_is_refused(annotation: Any, value: Any) -> None:
    """No value is bent into shape: a document that lies about its fields is not believed."""
    with pytest.raises(Malformed):
        decoded(annotation, value)


def test_names_that_the_class_does_not_have_are_left_out() -> None:
    """A newer version may know more fields."""
    assert decode_fields(ClientError, {"operation": "read", "unknown": 1}) == {"operation": "read"}


def test_text_and_lists_are_bounded() -> None:
    assert len(decoded(str, "a" * 10**6)) == 4096
    assert len(decoded(Sequence[int], [1] * 10**6)) == 1000
    assert len(decoded(Mapping[str, int], {str(n): n for n in range(10**4)})) == 1000
