"""Recovery events as log records."""

import logging
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from stormproof.errors import translate
from stormproof.recovery import Event, subscribe

logger: Final = logging.getLogger("stormproof.recovery")

_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def log_events() -> Callable[[], None]:
    """Log every recovery event from now on, at its severity, as ``stormproof.recovery``.

    Returns:
        A function that ends it; calling it again does nothing.

    Raises:
        CapacityExceeded: The bus has as many listeners as it takes.
    """
    return subscribe(_log)


def _log(event: Event) -> None:
    if logger.isEnabledFor(event.severity):
        kind = _WORD.sub(" ", type(event).__name__).lower()
        logger.log(event.severity, kind, extra=_fields(event))


def _fields(event: Event) -> dict[str, Any]:
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    error = values.pop("error", None)
    return values | (_described(error) if isinstance(error, Exception) else {})


def _described(error: Exception) -> dict[str, Any]:
    """Say what failed in words that are fit for a client, and so for a log."""
    known = translate(error)
    return {"code": known.code, "error": known.message, "error_type": type(error).__name__}
