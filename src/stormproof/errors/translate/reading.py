"""Reading what a foreign object says without trusting it.

Whatever is read here was made by someone else: an attribute may be missing, may be of another
type than the documentation says, may raise when it is looked at, and a text may be a gigabyte of
secrets. So every read answers None for what it cannot have, and every text is bounded.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from stormproof.errors.redaction import redact

LONGEST_TEXT: Final = 500
"""Characters of a foreign text that an error keeps."""

_MOST_HEADERS: Final = 200

_IDENTIFIER: Final = re.compile(r"[\x21-\x7e]{1,128}")


def read(obj: object, *path: str) -> Any:
    """Follow attribute names (keys, where there is a mapping) from ``obj``; None if one fails."""
    for name in path:
        try:
            obj = obj.get(name) if isinstance(obj, Mapping) else getattr(obj, name, None)
        except Exception:  # noqa: BLE001 - a property may raise anything
            return None
    return obj


def text(value: object, limit: int = LONGEST_TEXT) -> str | None:
    """Return a text as a plain, single, redacted string; None for anything else or an empty one."""
    if not isinstance(value, str):
        return None
    plain = redact(str.__str__(value)).encode("utf-8", "replace").decode()
    flat = " ".join(plain.split())
    return (flat if len(flat) <= limit else flat[:limit] + "…") or None


def message(exc: BaseException) -> str | None:
    """Return what an exception prints, bounded and redacted."""
    try:
        return text(str(exc))
    except Exception:  # noqa: BLE001 - __str__ may raise anything
        return None


def printed(exc: BaseException) -> str:
    """Return what an exception prints, bounded but with its secrets: to search, not to keep."""
    try:
        return str.__str__(str(exc))[:LONGEST_TEXT]
    except Exception:  # noqa: BLE001 - __str__ may raise anything
        return ""


def identifier(value: object) -> str | None:
    """Return a token that is safe in a header (visible ASCII, at most 128), or None."""
    found = text(value)
    return found if found and _IDENTIFIER.fullmatch(found) else None


def integer(value: object) -> int | None:
    """Return a non-negative number that fits 64 bits as a plain int, or None."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    number = int.__index__(value)
    return number if 0 <= number < 2**63 else None


def seconds(value: object) -> float | None:
    """Return a finite, non-negative duration as a plain float, or None."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - a subclass may convert as it likes
        return None
    return number if 0 <= number < float("inf") else None


def header_map(headers: object) -> dict[str, str]:
    """Return HTTP headers with lower-case names; empty if they are not a mapping of texts."""
    try:
        pairs = list(islice(headers.items(), _MOST_HEADERS))  # type: ignore[attr-defined]
        return {name.lower(): str(value) for name, value in pairs if isinstance(value, str)}
    except Exception:  # noqa: BLE001 - anybody's mapping
        return {}
