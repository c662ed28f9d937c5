"""Holding values from a document that nobody vouches for against the types of fields."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any, Final

from stormproof.errors.fields import Fields
from stormproof.errors.jsonable import enum_text

_LONGEST_TEXT: Final = 4096
_LONGEST_LIST: Final = 1000
_LARGEST_INT: Final = 2**63 - 1
_NOT_FINITE: Final = frozenset({"inf", "-inf", "nan"})


class Malformed(ValueError):
    """A field holds something that its annotation does not allow."""


def decode_fields(cls: type[Fields], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``cls`` that ``given`` holds, each checked against its annotation.

    Args:
        cls: The class about to be made.
        given: Field values by name; names that the class does not have are left out.

    Raises:
        Malformed: A value does not fit.
    """
    fields = cls.fields()
    return {name: _fit(given[name], fields[name].annotation) for name in fields if name in given}


def _fit(value: Any, annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if origin in _FITTERS:
        return _FITTERS[origin](value, *typing.get_args(annotation))
    if typing.is_typeddict(annotation):
        return _fit_typed_dict(value, annotation)
    return _fit_plain(value, annotation)


def _fit_plain(value: Any, annotation: Any) -> Any:
    if annotation is float and type(value) is int:
        return float(_bounded(value))
    if annotation is float and isinstance(value, str) and value in _NOT_FINITE:
        return float(value)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _fit_enum(value, annotation)
    if type(value) is not annotation:
        raise Malformed(f"expected {annotation}")
    return _bounded(value)


def _bounded(value: Any) -> Any:
    if type(value) is int and abs(value) > _LARGEST_INT:
        raise Malformed("expected a number of 64 bits")
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _fit_enum(value: Any, enum: type[Enum]) -> Enum:
    for member in enum:
        if enum_text(member) == value:
            return member
    raise Malformed(f"expected a member of {enum}")


def _fit_literal(value: Any, *choices: Any) -> Any:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return value
    raise Malformed(f"expected one of {choices}")


def _fit_first(value: Any, *choices: Any) -> Any:
    for choice in choices:
        try:
            return _fit(value, choice)
        except Malformed:
            continue
    raise Malformed(f"expected one of {choices}")


def _fit_sequence(value: Any, item: Any, *_more: Any) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise Malformed("expected a list")
    return tuple(_fit(entry, item) for entry in value[:_LONGEST_LIST])


def _fit_list(value: Any, item: Any) -> list[Any]:
    return list(_fit_sequence(value, item))


def _fit_mapping(value: Any, _name: Any, item: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed("expected an object")
    entries = islice(value.items(), _LONGEST_LIST)
    return {_fit(name, str): _fit(entry, item) for name, entry in entries}


def _fit_typed_dict(value: Any, annotation: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not annotation.__required_keys__ <= value.keys():
        raise Malformed(f"expected an object with {sorted(annotation.__required_keys__)}")
    hints = typing.get_type_hints(annotation)
    return {name: _fit(value[name], hints[name]) for name in hints if name in value}


_FITTERS: Final[Mapping[Any, Callable[..., Any]]] = {
    typing.Annotated: lambda value, annotation, *_marks: _fit(value, annotation),
    typing.Union: _fit_first,
    types.UnionType: _fit_first,
    typing.Literal: _fit_literal,
    Sequence: _fit_sequence,
    tuple: _fit_sequence,
    list: _fit_list,
    Mapping: _fit_mapping,
    dict: _fit_mapping,
}
