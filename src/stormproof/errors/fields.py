"""Typed keyword fields for classes that cannot be dataclasses.

Exceptions want what dataclasses give (declared fields, a checked constructor, a table to walk),
but generating code for each of some eighty classes would cost more than the whole import may
take. One check over a table made at class creation does the same.
"""

import typing
from collections.abc import Mapping, Sequence
from time import time
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeVar, dataclass_transform

T = TypeVar("T")

_INTERNAL: Final = "internal"

Internal = Annotated[T, _INTERNAL]
"""Marks a field that stays inside the house: it shows in ``str()`` and between our own processes,
never in what a client is sent. It must have a default."""


class Field(NamedTuple):
    """One declared field of an error class."""

    name: str
    annotation: Any
    required: bool
    internal: bool


class _Table(NamedTuple):
    fields: Mapping[str, Field]
    required: tuple[str, ...]
    sequences: tuple[str, ...]


@dataclass_transform(kw_only_default=True, eq_default=False)
class Fields:
    """A class whose annotations are its keyword-only constructor arguments.

    Its instances also know when they were made. All of that is one function, and not tidier, since
    an error is made each time that a call fails or is turned away.
    """

    _table: ClassVar[_Table] = _Table({}, (), ())

    def __init_subclass__(cls) -> None:
        """Read the annotations of the new class into its table."""
        fields: dict[str, Field] = {}
        for base in reversed(cls.__bases__):
            fields |= base._table.fields if issubclass(base, Fields) else {}
        fields |= _declared(cls)
        cls._table = _Table(
            fields,
            required=tuple(name for name, field in fields.items() if field.required),
            sequences=tuple(name for name, field in fields.items() if _is_sequence(field)),
        )

    def __init__(self, **given: Any) -> None:
        # Plain loops: for the two or three names of a call they take half as long as sets do.
        fields, required, sequences = self._table
        for name in given:
            if name not in fields:
                raise TypeError(_complaint(type(self), given))
        for name in required:
            if name not in given:
                raise TypeError(_complaint(type(self), given))
        for name in sequences:
            if name in given:
                given[name] = tuple(given[name])  # an error is a value: nobody changes it later
        given["_raised_at"] = time()
        self.__dict__ = given  # fresh in every call, so it need not be copied

    @classmethod
    def fields(cls) -> Mapping[str, Field]:
        """Return every field of the class by name, inherited ones first."""
        return cls._table.fields


def _declared(cls: type) -> dict[str, Field]:
    annotations: Mapping[str, Any] = cls.__annotations__
    if any(isinstance(annotation, str) for annotation in annotations.values()):
        hints = _evaluated(cls)
        annotations = {name: hints[name] for name in annotations}
    return {
        name: _field(cls, name, annotation)
        for name, annotation in annotations.items()
        if typing.get_origin(annotation) is not ClassVar and annotation is not ClassVar
    }


def _evaluated(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        # Linters like to move such imports under TYPE_CHECKING; the wire needs the types.
        raise TypeError(f"{cls.__name__}: {error.name} must be imported at run time") from error


def _field(cls: type, name: str, annotation: Any) -> Field:
    internal = _INTERNAL in getattr(annotation, "__metadata__", ())
    required = name not in cls.__dict__
    if internal and required:
        raise TypeError(f"{cls.__name__}.{name} is internal and must have a default")
    return Field(name, annotation, required, internal)


def _is_sequence(field: Field) -> bool:
    return typing.get_origin(field.annotation) is Sequence


def _complaint(cls: type[Fields], given: Mapping[str, Any]) -> str:
    unknown = sorted(given.keys() - cls._table.fields.keys())
    missing = [name for name in cls._table.required if name not in given]
    parts = [
        f"needs {', '.join(missing)}" if missing else "",
        f"does not know {', '.join(unknown)}" if unknown else "",
    ]
    return f"{cls.__name__} " + " and ".join(filter(None, parts))
