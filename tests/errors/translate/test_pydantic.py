"""pydantic's exceptions, raised by real models."""

import uuid
from collections.abc import Callable
from typing import Annotated, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticUseDefault
from pydantic_settings import BaseSettings

from stormproof.errors import (
    ConfigurationError,
    InternalError,
    SerializationError,
    StormproofError,
    ValidationErrors,
    to_wire,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Order(BaseModel):
    number: int = 0
    id: uuid.UUID = uuid.UUID(int=0)
    tags: list[Annotated[str, Field(max_length=3)]] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    even: int = 0

    @field_validator("even")
    @classmethod
    def must_be_even(cls, value: int) -> int:
        assert value % 2 == 0, f"{value} is odd"
        return value


def test_every_problem_is_listed_with_its_path(caught: Caught) -> None:
    """All at once, each with the place, the words and the code."""
    error = caught(lambda: Order.model_validate({"number": "x", "tags": ["fine", "toolong"]}))
    assert isinstance(error, ValidationErrors)
    assert [(e["field"], e["type"]) for e in error.errors] == [
        ("number", "int_parsing"),
        ("tags.0", "string_too_long"),
        ("tags.1", "string_too_long"),
    ]
    assert error.errors[1]["message"] == "String should have at most 3 characters"


@given(st.text("abcdefghijklmnop", min_size=6, max_size=6).map("#{0}#".format))
def test_what_came_in_is_never_told(secret: str) -> None:
    """Also where pydantic's own message copies it: a tag, a UUID, an assertion."""
    values = {"number": secret, "id": secret, "tags": [secret], "pet": {"kind": secret}, "even": 77}
    with pytest.raises(pydantic.ValidationError) as raised:
        Order.model_validate(values)
    error = translate(raised.value)
    assert isinstance(error, ValidationErrors)
    assert len(error.errors) == 5
    told = str(to_wire(error)) + str(error)
    assert secret not in told
    assert "77" not in str(error.errors)


def test_bad_json_is_a_problem_of_the_whole(caught: Caught) -> None:
    """There is no field to name."""
    error = caught(lambda: Order.model_validate_json("{"))
    assert isinstance(error, ValidationErrors)
    assert error.errors[0]["type"] == "json_invalid"


def test_a_hostile_input_makes_a_bounded_error(caught: Caught) -> None:
    """A thousand problems and a name of a megabyte."""
    many = caught(lambda: Order.model_validate({"tags": ["toolong"] * 5000}))
    assert isinstance(many, ValidationErrors)
    assert len(many.errors) == 1000

    class Strict(BaseModel, extra="forbid"):
        pass

    long = caught(lambda: Strict.model_validate({"x" * 10**6: 1}))
    assert isinstance(long, ValidationErrors)
    assert len(long.errors[0]["field"]) < 100


def test_a_model_that_is_wrong_is_a_bug(caught: Caught) -> None:
    """Whoever wrote it has to act."""

    def define() -> None:
        class Wrong(BaseModel):
            x: object = Field(default=1, default_factory=int)  # type: ignore[call-overload]

    def ask() -> None:
        class Wrong(BaseModel):
            x: Callable[[], int]

        Wrong.model_json_schema()

    assert type(caught(define)) is InternalError
    assert type(caught(ask)) is InternalError


def test_a_value_that_cannot_be_written_is_a_serialization_error(caught: Caught) -> None:
    """It is in the model and JSON has no form for it."""

    class Holder(BaseModel):
        x: object

    assert type(caught(lambda: Holder(x=object()).model_dump_json())) is SerializationError


def test_a_source_of_settings_that_cannot_be_read_is_a_setting(
    caught: Caught, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text in the environment is no JSON, and may be a secret."""

    class Settings(BaseSettings):
        limits: dict[str, int] = {}

    monkeypatch.setenv("LIMITS", "secret")
    error = caught(Settings)
    assert type(error) is ConfigurationError
    assert "secret" not in str(error)


def test_a_signal_of_a_validator_passes_through() -> None:
    """It is meant for pydantic."""
    signal = PydanticUseDefault()
    with pytest.raises(PydanticUseDefault) as raised:
        translate(signal)
    assert raised.value is signal
