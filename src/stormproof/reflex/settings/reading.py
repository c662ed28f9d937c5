"""Reading what ``stormproof.toml`` says of the reflex: all that is wrong is named, with lines."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from stormproof.providers.settings.document import read_document
from stormproof.providers.settings.faults import Place, misfits, refusal
from stormproof.providers.settings.tables import Table
from stormproof.reflex.settings.tables import ReflexTables

TABLE: Final = "reflex"


def read_reflex(file: Path) -> ReflexTables | None:
    """Return what a file says of the reflex; None if that is nothing.

    Raises:
        ConfigurationError: It is not TOML, or what it says makes no sense; everything that is
            wrong is named with its line.
        StorageError: It cannot be read.
    """
    text, document = read_document(file)
    if TABLE not in document:
        return None
    try:
        return ReflexTables.model_validate(document[TABLE])
    except ValidationError as error:
        raise refusal(file, text, misfits(error, _place)) from None


def _place(loc: tuple[str | int, ...]) -> tuple[Place, Iterable[str]]:
    """Return where in the file something is wrong, and which keys there are in that table."""
    steps = tuple(step for step in loc if step != "[key]")
    kind: Any = ReflexTables
    for step in steps[:-1]:
        kind = _held(kind, step)
    return (TABLE, *steps), _keys(kind)


def _held(kind: Any, key: str | int) -> Any:
    """Return what stands behind a key of a table."""
    if get_origin(kind) is Mapping:
        return get_args(kind)[1]
    for name, field in _fields(kind):
        if name == key:
            held = field.annotation
            tables = [one for one in (held, *get_args(held)) if _is_table(one)]
            return held if get_origin(held) is Mapping else next(iter(tables), None)
    return None


def _keys(kind: Any) -> Iterable[str]:
    return [name for name, _ in _fields(kind)]


def _fields(kind: Any) -> Iterable[tuple[str, FieldInfo]]:
    if not _is_table(kind):
        return ()
    return [(field.alias or name, field) for name, field in kind.model_fields.items()]


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)
