"""Samples of every error there is."""

import typing
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

import pytest

from stormproof.errors import FieldProblem, StormproofError, known_errors

OURS: Final = [
    cls for cls in known_errors().values() if cls.__module__.startswith("stormproof.errors.")
]

_SAMPLES: Final[dict[Any, Any]] = {
    str: "some text",
    int: 7,
    float: 1.5,
    Enum | str: "waiting",
    str | int: 7,
    Sequence[str]: ("one", "two"),
    Sequence[FieldProblem]: ({"field": "a.b", "message": "is missing", "type": "missing"},),
}


@pytest.fixture(params=OURS, ids=lambda cls: cls.__name__)
def error_class(request: pytest.FixtureRequest) -> type[StormproofError]:
    """Each class of the tree that has a code, the four families included."""
    cls: type[StormproofError] = request.param
    return cls


@pytest.fixture
def error(error_class: type[StormproofError]) -> StormproofError:
    """An error of each class, every field given."""
    return make_whole(error_class)


@pytest.fixture
def every_error() -> list[StormproofError]:
    """One error of each class, every field given, all at once."""
    return [make_whole(cls) for cls in OURS]


@pytest.fixture(params=OURS, ids=lambda cls: cls.__name__)
def bare_error(request: pytest.FixtureRequest) -> StormproofError:
    """An error of each class, only the required fields given."""
    cls: type[StormproofError] = request.param
    return cls(**{name: _sample(f.annotation) for name, f in cls.fields().items() if f.required})


def make_whole(cls: type[StormproofError]) -> StormproofError:
    fields = cls.fields()
    given = {name: _sample(field.annotation) for name, field in fields.items()}
    inside = {name: f"inside {name}" for name, field in fields.items() if field.internal}
    return cls(**given | inside)


def _sample(annotation: Any) -> Any:
    if typing.get_origin(annotation) is typing.Annotated:
        return _sample(annotation.__origin__)
    if annotation in _SAMPLES:
        return _SAMPLES[annotation]
    return _sample(typing.get_args(annotation)[0])  # of "str | None", the text
