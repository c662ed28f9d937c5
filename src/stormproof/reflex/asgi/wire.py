"""Documents and events as they are sent."""

from typing import Any, Final

import msgspec

from stormproof.providers.chat import Document
from stormproof.providers.sse import ServerEvent

encode: Final = msgspec.json.Encoder().encode


def document_in(body: bytes) -> Document | None:
    """Return a JSON object; None if it is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def written(event: ServerEvent) -> bytes:
    """Return an event as it is sent."""
    kind = b"" if event.kind == "message" else b"event: %b\n" % event.kind.encode()
    lines = b"".join([b"data: %b\n" % line for line in event.data.split(b"\n")])
    return b"%b%b\n" % (kind, lines)
