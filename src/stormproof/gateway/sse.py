"""Server-sent events: the bytes on the wire (WHATWG HTML, section 9.2)."""

import json
from typing import Any, Final

from stormproof.errors import StormproofError, to_wire

DONE: Final = b"data: [DONE]\n\n"
"""What OpenAI's clients take as the end of a stream."""

HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Keeps proxies from holding events back."""


def data(document: dict[str, Any]) -> bytes:
    """Return an event that carries a JSON document."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


def failure(error: StormproofError) -> bytes:
    """Return the event that ends a stream which failed after it had begun."""
    return b"event: error\n" + data(to_wire(error))
