"""The lines of a log, and a short way to those that are written with every request."""

import asyncio
import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

from stormproof.errors import redact
from stormproof.signals.context import known

Plain = str | int | float | None
"""What a field may be that nobody looks at."""

_MOMENT: Final = 0.02
"""Seconds for which lines are held."""

_LEVELS: Final = {
    level: logging.getLevelName(level).lower()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
}

_quickly: Final = msgspec.json.Encoder().encode


class Lines(logging.StreamHandler[TextIO]):
    """Writes to standard error; what it cannot write harms nobody."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record was lost, but not what was in it: it may be why it was lost."""
        lost = {"level": "error", "logger": record.name, "event": "a log record was lost"}
        with suppress(Exception):
            self.stream.write(json.dumps(lost) + self.terminator)


class JsonLines(Lines):
    """Writes JSON objects; what is no record, some at once: writing costs more than making it."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []
        self._due: asyncio.AbstractEventLoop | None = None

    def hold(self, line: bytes) -> None:
        """Write a line, a moment later where an event loop runs."""
        self.acquire()
        try:
            self._held.append(line)
            self._write_soon()
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after what was held."""
        self.flush()
        super().emit(record)

    def flush(self) -> None:
        """Write what is held."""
        self.acquire()
        try:
            held, self._held, self._due = self._held, [], None
            with suppress(Exception):
                self.stream.write("".join(line.decode() + self.terminator for line in held))
                super().flush()
        finally:
            self.release()

    def _write_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if loop is not self._due:  # one that has ended does nothing any more
            self._due = loop
            loop.call_later(_MOMENT, self.flush)


def log_often(logger: logging.Logger, level: int, event: str, **fields: Plain) -> None:
    """Log what happens with every request: the same line as by ``logger``, at a fifth of the cost.

    Where nobody would see a record but the handler that writes this line, none is made.

    Args:
        logger: Who says it.
        level: How severe it is, one of logging's own.
        event: What happened.
        fields: What else is known. Not looked through for secrets: nothing that a client made up.
    """
    if not logger.isEnabledFor(level):
        return
    handlers = _handlers(logger)
    if len(handlers) != 1 or not isinstance(handlers[0], JsonLines):
        logger.log(level, event, extra=fields)
        return
    line: dict[str, object] = {"event": event}
    for name, value in known().items():
        line[name] = redact(value) if isinstance(value, str) else value
    line |= {"level": _LEVELS[level], "logger": logger.name, **fields}
    line["timestamp"] = datetime.now(UTC)
    handlers[0].hold(_quickly(line))


def _handlers(logger: logging.Logger | None) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    while logger:
        handlers += logger.handlers
        logger = logger.parent
    return handlers
