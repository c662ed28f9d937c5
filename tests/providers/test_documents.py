"""What clients send is read, or refused by its field."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from stormproof.errors import InvalidRequest
from stormproof.providers.documents import decoded, understood


class Round(Struct, tag="round"):
    size: Annotated[int, Meta(ge=1)]


class Square(Struct, tag="square"):
    size: int


class Asked(Struct):
    name: str
    how: Literal["well", "fast"] = "well"
    shapes: list[Round | Square] = []


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        ({}, None, "Object missing required field `name`"),
        ({"name": 1}, "name", "Expected `str`, got `int`"),
        ({"name": "a", "how": "a secret"}, "how", "Invalid enum value"),
        ({"name": "a", "shapes": [{"type": "a secret"}]}, "shapes[0].type", "Invalid value"),
        ({"name": "a", "how": "a secret\n - at `$.name`'"}, "how", "Invalid enum value"),
        (
            {"name": "a", "shapes": [{"type": "round", "size": 0}]},
            "shapes[0].size",
            "Expected `int` >= 1",
        ),
    ],
)
def test_what_is_wrong_is_told_and_not_what_was_sent(
    document: dict[str, Any], field: str | None, words: str
) -> None:
    """It may be a prompt in the wrong place."""
    with pytest.raises(InvalidRequest) as caught:
        understood(document, Asked)
    assert caught.value.param == field
    assert caught.value.reason == (f"{field}: {words}" if field else words)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_is_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decoded(body)
    assert decoded(b'{"a": 1}') == {"a": 1}
