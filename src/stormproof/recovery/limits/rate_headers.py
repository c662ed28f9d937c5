"""What the headers of a response say about the server's own limits.

Three families of names are read: those of OpenAI (``x-ratelimit-remaining-requests``), which most
providers of models have taken over; those of Anthropic
(``anthropic-ratelimit-requests-remaining``); and those of the IETF, as drafted by now
(``RateLimit``, ``RateLimit-Policy``) and as in use before (``ratelimit-remaining``).

What is left counts, and when there will be more once nothing is left. The first two families
are those of buckets, whose reset is the time when they are full: the first request comes after
its part of that. The others count in windows, which give nothing before their reset.
"""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final, NamedTuple

from stormproof.errors.retry_after import LONGEST_WAIT
from stormproof.errors.translate.rate_limits import asked_wait, parse_reset
from stormproof.errors.translate.reading import header_map

_LONGEST_VALUE: Final = 1000
_NUMBER: Final = re.compile(r"\d{1,15}")

_REQUESTS: Final = (
    # what is left, when it is filled up again, to how many
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        "x-ratelimit-limit-requests",
    ),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-requests-limit",
    ),
    ("ratelimit-remaining", "ratelimit-reset", None),
    ("x-ratelimit-remaining", "x-ratelimit-reset", None),
    ("x-rate-limit-remaining", "x-rate-limit-reset", None),
)
_TOKENS: Final = (
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-output-tokens-remaining",
)

_POLICY: Final = re.compile(r'"([^"]{1,99})"(?:[^,"]|"[^"]{0,99}")*?;\s*qu\s*=\s*"([^"]{1,99})"')
_ITEM: Final = re.compile(r'"([^"]{1,99})"((?:\s*;\s*\w+\s*=\s*[^,;]{1,99}){1,9})')
_LEFT: Final = re.compile(r"(?:;\s*r|\bremaining)\s*=\s*(\d{1,15})\b")
_RESET: Final = re.compile(r"(?:;\s*t|\breset)\s*=\s*(\d{1,15})\b")


class ServerLimits(NamedTuple):
    """What a server says.

    Attributes:
        requests: How many more it takes now, None if it does not say.
        tokens: The same.
        pause: Seconds before which it takes no request at all.
    """

    requests: float | None = None
    tokens: float | None = None
    pause: float = 0.0


def read_limits(headers: Mapping[str, str], *, now: float | None = None) -> ServerLimits:
    """Return what ``headers`` say; of several limits the least counts, and nonsense not at all.

    Args:
        headers: Those of a response, in any case.
        now: Seconds since the epoch when they were sent. By default what their ``Date`` says,
            so that the two clocks need not agree; the wall clock if it says nothing.
    """
    known = header_map(headers)
    clock = _sent_at(known) if now is None else now
    budgets = [*_plain(known, clock), *_drafted(known)]
    tokens = [left for name in _TOKENS if (left := _count(known.get(name))) is not None]
    pauses = [wait for left, wait in budgets if left == 0]
    return ServerLimits(
        requests=min((left for left, _ in budgets), default=None),
        tokens=min(tokens, default=None),
        pause=min(max([*pauses, asked_wait(known, now=clock) or 0.0]), LONGEST_WAIT),
    )


def _plain(headers: Mapping[str, str], now: float) -> Iterator[tuple[float, float]]:
    """Yield what is left, and the seconds until there is more, from headers of single numbers."""
    for left_name, reset_name, limit_name in _REQUESTS:
        left = _count(headers.get(left_name))
        if left is not None:
            reset = parse_reset(headers.get(reset_name, ""), now) or 0.0
            limit = _count(headers.get(limit_name)) if limit_name else None
            yield left, reset / max(limit or 1.0, 1.0)


def _drafted(headers: Mapping[str, str]) -> Iterator[tuple[float, float]]:
    """Yield the same from the one header of the IETF's draft, where it is about requests."""
    value = headers.get("ratelimit", "")[:_LONGEST_VALUE]
    policies = _POLICY.findall(headers.get("ratelimit-policy", "")[:_LONGEST_VALUE])
    others = {name for name, unit in policies if unit != "requests"}
    items = [(found[1], found[2]) for found in _ITEM.finditer(value)]
    for name, text in items or [("", value)]:
        left, reset = _LEFT.search(text), _RESET.search(text)
        if left and name not in others:
            yield float(left[1]), float(reset[1]) if reset else 0.0


def _count(value: str | None) -> float | None:
    return float(value) if value and _NUMBER.fullmatch(value.strip()) else None


def _sent_at(headers: Mapping[str, str]) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 10 ms that few programs need

    try:
        date = parsedate_to_datetime(headers["date"])
        zoned = date if date.tzinfo else date.replace(tzinfo=UTC)  # "-0000" is UTC, zone unknown
        return zoned.timestamp()
    except (KeyError, ValueError, OverflowError, IndexError):
        return time.time()
