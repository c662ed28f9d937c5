"""Where log records go, and what they look like."""

import logging
from typing import Final

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import Processor

from stormproof.signals.context import add_known
from stormproof.signals.lines import JsonLines, Lines
from stormproof.signals.redacting import redact_fields

_FACTS: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    add_known,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
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
    handler = Lines() if console else JsonLines()
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
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
    )
