"""The Retry-After header, both ways (RFC 9110, section 10.2.3)."""

import math
import time
from datetime import UTC
from typing import Final

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a peer that asks for more than a day is held to a day."""


def parse_retry_after(value: str, *, now: float | None = None) -> float | None:
    """Return the seconds a Retry-After header asks to wait, or None if it says nothing sensible.

    Args:
        value: The header: a number of seconds (fractions are accepted, as providers send them)
            or an HTTP date.
        now: Seconds since the epoch that a date is compared with; the wall clock by default.
    """
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, time.time() if now is None else now)
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def format_retry_after(seconds: float) -> str:
    """Return the header for a wait of so many seconds, rounded up so that nobody is early."""
    return str(math.ceil(max(seconds, 0.0)))


def _until(text: str, now: float) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 10 ms that few programs need

    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError):
        return math.nan
    zoned = date if date.tzinfo else date.replace(tzinfo=UTC)  # "-0000" is UTC, zone unknown
    return zoned.timestamp() - now
