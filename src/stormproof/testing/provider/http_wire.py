"""What every answer of a scripted provider has in common, as bytes."""

import json
from dataclasses import dataclass
from http.client import responses
from typing import Final

HALF_EVENT: Final = b'40\r\ndata: {"id":'
BODY_END: Final = b"0\r\n\r\n"
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer.

    Attributes:
        tokens: An event for each; the first also tells who speaks.
        end: The events that end it, and the body.
        joined: All of it, head included.
    """

    tokens: tuple[bytes, ...]
    end: bytes
    joined: bytes

    @classmethod
    def of(cls, tokens: tuple[bytes, ...], end: bytes) -> "Stream":
        """Return a stream of these events."""
        return cls(tokens, end, b"".join((STREAM_HEAD, *tokens, end)))


def event(data: bytes, kind: str | None = None) -> bytes:
    """Return an event in a chunk of its own."""
    named = f"event: {kind}\n".encode() if kind else b""
    text = b"%bdata: %b\n\n" % (named, data)
    return b"%x\r\n%b\r\n" % (len(text), text)


def page(body: bytes, content_type: str, status: int = 200, extra: str = "") -> bytes:
    """Return an answer with a length."""
    head = (
        f"HTTP/1.1 {status} {responses.get(status, 'Other')}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def document(content: object, status: int = 200, retry_after: int | None = None) -> bytes:
    """Return an answer that is a JSON document."""
    extra = "" if retry_after is None else f"retry-after: {retry_after}\r\n"
    return page(compact(content), "application/json", status, extra)


def compact(content: object) -> bytes:
    """Return a JSON document without white space."""
    return json.dumps(content, separators=(",", ":")).encode()
