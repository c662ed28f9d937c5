"""An error of every class there is."""

import typing
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

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


def make_whole(cls: type[StormproofError]) -> StormproofError:
    """Make an error with every field given; what is internal says so."""
    fields = cls.fields()
    given = {name: _sample(field.annotation) for name, field in fields.items()}
    inside = {name: f"inside {name}" for name, field in fields.items() if field.internal}
    return cls(**given | inside)


def make_bare(cls: type[StormproofError]) -> StormproofError:
    """Make an error with the required fields alone."""
    return cls(**{name: _sample(f.annotation) for name, f in cls.fields().items() if f.required})


def _sample(annotation: Any) -> Any:
    if typing.get_origin(annotation) is typing.Annotated:
        return _sample(annotation.__origin__)
    if annotation in _SAMPLES:
        return _SAMPLES[annotation]
    return _sample(typing.get_args(annotation)[0])  # of "str | None", the text
