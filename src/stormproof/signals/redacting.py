"""Keeping secrets, control characters and endless texts out of the log."""

from functools import lru_cache
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

from stormproof.errors import redact

_LONGEST_HALF: Final = 2000
_CONTROL: Final = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160))
    if code not in {9, 10}
}


def redact_fields(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Return a record's fields as they may be written: a processor of structlog."""
    return {name: _secret(name) or _shown(value) for name, value in event_dict.items()}


@lru_cache(maxsize=1000)
def _secret(name: str) -> str:
    """Return what to show in place of a field whose name says that it holds a secret."""
    probe = f"{name}=hidden-0000"
    shown = redact(probe)
    return "" if shown == probe else shown.removeprefix(f"{name}=")


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has no infinities
    text = redact(_shortened(str(value)))
    return text if text.isprintable() else text.translate(_CONTROL)


def _shortened(text: str) -> str:
    """Leave out the middle, whole lines of it: a traceback says most in its last ones."""
    if len(text) <= 2 * _LONGEST_HALF:
        return text
    head, tail = text[:_LONGEST_HALF], text[-_LONGEST_HALF:]
    _cut, newline, last_lines = tail.partition("\n")
    return f"{head}\n…\n{last_lines}" if newline else f"{head}…"
