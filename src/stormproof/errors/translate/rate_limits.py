"""How long a provider asks us to wait: every spelling of it in response headers."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from stormproof.errors.retry_after import LONGEST_WAIT, parse_retry_after

_LONGEST_VALUE: Final = 40

_DURATION: Final = re.compile(
    r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")

_FIRST_EPOCH: Final = 1e9
"""A reset larger than this is a point in time, not a duration; larger than 1e12, in ms."""

_RESETS: Final = (
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "ratelimit-reset",
)

_BUDGETS: Final = (
    # what is left, when it is filled up again
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)


def asked_wait(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return the seconds that ``retry-after-ms`` or ``Retry-After`` ask for, if one does.

    Args:
        headers: Response headers, names in lower case.
        now: Seconds since the epoch; the wall clock by default.
    """
    milliseconds = parse_retry_after(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    return parse_retry_after(headers.get("retry-after", ""), now=now)


def limit_wait(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return the seconds until a rate limit lets the next request through, as far as told.

    ``Retry-After`` counts before all others: it is an instruction, the rest are measurements.
    Of several budgets the exhausted ones decide, and of those the slowest; if none admits to
    being exhausted, the slowest of all.

    Args:
        headers: Response headers, names in lower case.
        now: Seconds since the epoch; the wall clock by default.
    """
    asked = asked_wait(headers, now=now)
    if asked is not None:
        return asked
    clock = time.time() if now is None else now
    return _slowest_budget(headers, clock) if _has_budget(headers) else _first_reset(headers, clock)


def _has_budget(headers: Mapping[str, str]) -> bool:
    return any(reset in headers for _, reset in _BUDGETS)


def _slowest_budget(headers: Mapping[str, str], now: float) -> float | None:
    waits = {
        left: wait
        for left, reset in _BUDGETS
        if (wait := parse_reset(headers.get(reset, ""), now)) is not None
    }
    exhausted = [wait for left, wait in waits.items() if headers.get(left, "").strip() == "0"]
    return max(exhausted or waits.values(), default=None)


def _first_reset(headers: Mapping[str, str], now: float) -> float | None:
    waits = (parse_reset(headers.get(name, ""), now) for name in _RESETS)
    return next((wait for wait in waits if wait is not None), None)


def parse_reset(value: str, now: float) -> float | None:
    """Return the seconds that a reset header means, in any spelling; None if it has no sense.

    Args:
        value: The header.
        now: Seconds since the epoch, which a point in time is compared with.
    """
    for parse in _SPELLINGS:
        wait = parse(value.strip(), now)
        if wait is not None:
            return min(max(wait, 0.0), LONGEST_WAIT)
    return None


def _number(value: str, now: float) -> float | None:
    """Read ``12.5`` (seconds from now), ``1767225600`` and ``1767225600000`` (points in time)."""
    if not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    if number < _FIRST_EPOCH:
        return number
    return (number / 1000 if number >= 1000 * _FIRST_EPOCH else number) - now


def _duration(value: str, _now: float) -> float | None:
    """Read ``6m0s``, ``1s``, ``20ms``, ``1h30m``: the durations of the Go language."""
    found = _DURATION.fullmatch(value) if len(value) <= _LONGEST_VALUE else None
    if not found or not any(found.groups()):
        return None
    hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def _instant(value: str, now: float) -> float | None:
    """Read ``2026-01-01T00:00:00Z`` (RFC 3339)."""
    try:
        instant = datetime.fromisoformat(value)
        zoned = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return zoned.timestamp() - now
    except (ValueError, OverflowError):
        return None


_SPELLINGS: Final[tuple[Callable[[str, float], float | None], ...]] = (
    _number,
    _duration,
    _instant,
)
