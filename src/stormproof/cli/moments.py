"""Moments as people type them: so long from now, or a day."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def after(text: str, now: datetime) -> datetime:
    """Return a moment that is so far ahead, or the beginning of a day (UTC)."""
    return _moment(text, lambda span: now + span)


def before(text: str, now: datetime) -> datetime:
    """Return a moment that is so far back, or the beginning of a day (UTC)."""
    return _moment(text, lambda span: now - span)


def _moment(text: str, at: Callable[[timedelta], datetime]) -> datetime:
    if span := _SPAN.fullmatch(text):
        return at(timedelta(**{_UNITS[span[2]]: int(span[1])}))
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither like 90m, 12h, 30d, 2w nor a date") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
