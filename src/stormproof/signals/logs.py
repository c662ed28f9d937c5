"""Where log records go, and what they look like."""

import json
import logging
from contextlib import suppress
from typing import Final, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import Processor

from stormproof.signals.redacting import redact_fields

_FACTS: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
"""What every record says beside its own fields."""


def configure_logging(level: str, *, console: bool) -> None:
    """Write what is logged, through ``logging`` or ``structlog``, to standard error.

    Calling it again replaces what it did before.

    Args:
        level: The least severe that Stormproof logs: ``debug``, ``info``, ``warning`` or
            ``error``. Everybody else's loggers begin at warnings.
        console: Lines in colour for a person; otherwise one JSON object a line.
    """
    handler = _Handler()
    handler.setFormatter(_formatter(console=console))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("stormproof").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_FACTS,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _formatter(*, console: bool) -> ProcessorFormatter:
    renderer: Processor = (
        ConsoleRenderer(exception_formatter=plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    return ProcessorFormatter(
        foreign_pre_chain=[*_FACTS, ExtraAdder()],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_fields,
            renderer,
        ],
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to standard error; what it cannot write harms nobody."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record was lost, but not what was in it: it may be why it was lost."""
        lost = {"level": "error", "logger": record.name, "event": "a log record was lost"}
        with suppress(Exception):
            self.stream.write(json.dumps(lost) + self.terminator)
