"""On which line of a TOML file something stands."""

from collections.abc import Sequence
from typing import Any, Final

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

_MARK: Final = "here-it-is-0c9d1f"


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """Return the line, from 1, of a value or a table's head; None if that cannot be told.

    What was parsed is written again, character for character, with a mark in that place.

    Args:
        text: A TOML document.
        place: Keys and indices; where one is not there, the line is that of what surrounds it.
    """
    try:
        document = tomlkit.parse(text)
        marked = _mark(document, place)
    except TOMLKitError:
        return None
    before, mark, _ = tomlkit.dumps(document).partition(_MARK) if marked else ("", "", "")
    return before.count("\n") + 1 if mark else None


def _mark(document: Any, place: Sequence[str | int]) -> bool:
    holder, item, key = None, document, None
    for step in place:
        if not _has(item, step):
            break
        holder, item, key = item, item[step], step
    while isinstance(item, OutOfOrderTableProxy | AoT) or _is_implied(item):
        # It has no line of its own, or several.
        first = 0 if isinstance(item, AoT) else next(iter(item))
        holder, item, key = item, item[first], first
    if isinstance(item, Table):
        item.comment(_MARK)
    elif holder is not None:
        holder[key] = _MARK
    return holder is not None


def _has(item: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(item, list) and step < len(item)
    return isinstance(item, dict | OutOfOrderTableProxy) and step in item


def _is_implied(item: Any) -> bool:
    return isinstance(item, Table) and bool(item.is_super_table())
