"""Reading the fields of an error from a document that nobody vouches for."""

import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from stormproof.errors.fields import Fields

_LONGEST_TEXT: Final = 4096
_LONGEST_LIST: Final = 1000


class Malformed(ValueError):  # noqa: N818
    """A field holds something that its annotation does not allow."""


def decode_fields(cls: type[Fields], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``cls`` that ``given`` holds, each checked against its annotation.

    Args:
        cls: The class about to be made.
        given: Field values by name; names that the class does not have are left out.

    Raises:
        Malformed: A value does not fit.
    """
    known = cls.fields()
    return {name: _fit(value, known[name].annotation) for name, value in given.items() if name in known}


def _fit(value: Any, annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _fit(value, annotation.__origin__)
    if origin in {typing.Union, types.UnionType}:
        return _first_fit(value, typing.get_args(annotation))
    if origin is Sequence:
        return _fit_sequence(value, *typing.get_args(annotation))
    if typing.is_typeddict(annotation):
        return _fit_mapping(value, typing.get_type_hints(annotation))
    return _fit_plain(value, annotation)


def _fit_plain(value: Any, annotation: Any) -> Any:
    if annotation is float and type(value) is int:
        return float(value)
    if type(value) is not annotation:
        raise Malformed(f"expected {annotation}")
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _first_fit(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if choice is types.NoneType and value is None:
            return None
        if isinstance(choice, type) and issubclass(choice, Enum):
            continue  # the class of an enum stays at home; its value travels as text
        try:
            return _fit(value, choice)
        except Malformed:
            continue
    raise Malformed(f"expected one of {choices}")


def _fit_sequence(value: Any, item: Any) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise Malformed("expected a list")
    return tuple(_fit(entry, item) for entry in value[:_LONGEST_LIST])


def _fit_mapping(value: Any, hints: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.keys() != hints.keys():
        raise Malformed(f"expected an object with {sorted(hints)}")
    return {name: _fit(value[name], hint) for name, hint in hints.items()}
