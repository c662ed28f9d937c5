"""Field values in JSON's types."""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from stormproof.errors.redaction import redact

LONGEST_LIST: Final = 100
"""Entries of a list or mapping that travel; the rest is cut."""

_DEEPEST: Final = 6


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return ``value`` in JSON's types: bounded, enums as text, secrets blanked out."""
    if isinstance(value, Enum):
        return enum_text(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return _entries(list(value.items()), depth)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_inside(item, depth) for item in value[:LONGEST_LIST]]
    return redact(str(value))


def enum_text(member: Enum) -> str:
    """Return a member's value if that is text, else its name: ``auto()`` numbers say nothing."""
    return member.value if isinstance(member.value, str) else member.name


def _entries(pairs: list[tuple[Any, Any]], depth: int) -> dict[str, Any]:
    return {redact(str(name)): _inside(item, depth) for name, item in pairs[:LONGEST_LIST]}


def _inside(item: Any, depth: int) -> Any:
    return jsonable(item, depth + 1) if depth < _DEEPEST else "…"
