"""Server-sent events: the bytes on the wire (WHATWG HTML, section 9.2)."""

import json
import secrets
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, Final

from pydantic import TypeAdapter

from stormproof.errors import StormproofError, to_wire

_encode: Final = TypeAdapter(Any).dump_json

DONE: Final = b"data: [DONE]\n\n"
"""What OpenAI's clients take as the end of a stream."""

HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Keeps proxies from holding events back."""


def data(*documents: dict[str, Any]) -> bytes:
    """Return events that each carry a JSON document."""
    return b"".join([b"data: %b\n\n" % _encode(document) for document in documents])


def failure(error: StormproofError) -> bytes:
    """Return the event that ends a stream which failed after it had begun."""
    return b"event: error\ndata: %b\n\n" % json.dumps(to_wire(error)).encode()


class TextEvent:
    """An event that differs in one text alone from all others like it.

    Everything around the text is encoded once, since there is such an event for every token.

    Args:
        document: Returns the document with a text in it.
    """

    def __init__(self, document: Callable[[str], dict[str, Any]]) -> None:
        gap = secrets.token_hex(16)
        self._before, self._after = data(document(gap)).split(encode_basestring(gap).encode())

    def __call__(self, text: str) -> bytes:
        """Return the event with this text."""
        return self._before + encode_basestring(text).encode("utf-8", "replace") + self._after
