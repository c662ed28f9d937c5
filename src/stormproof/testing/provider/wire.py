"""What a scripted provider sends, as bytes. The same answer is made once."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

CREATED: Final = 1_700_000_000
PROMPT_TOKENS: Final = 20
DONE: Final = b"[DONE]"
GARBAGE: Final = b'{"id":"chatcmpl-scripted","choices":[{"del'
HALF_EVENT: Final = b'40\r\ndata: {"id":'
BODY_END: Final = b"0\r\n\r\n"
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
ERROR_EVENT: Final = b'{"error":{"message":"the script says so","type":"server_error"}}'

_TOKEN: Final = re.compile(r"\s*\S+ ?|\s+")
_STREAMED: Final = re.compile(rb'"stream"\s*:\s*true')
_COUNTED: Final = re.compile(rb'"include_usage"\s*:\s*true')


@lru_cache
def text_of(tokens: int) -> str:
    """Return an answer of this many tokens. No two of them are the same."""
    return "".join(f"w{place} " for place in range(tokens))


def is_streamed(body: bytes) -> bool:
    """Say whether a request asks for a stream. Quotes inside its texts are escaped."""
    return _STREAMED.search(body) is not None


def is_counted(body: bytes) -> bool:
    """Say whether a request asks for the tokens of its stream."""
    return _COUNTED.search(body) is not None


def rest_of(text: str, body: bytes) -> str:
    """Return what is left of an answer that a message of the assistant begins."""
    if b'"assistant"' not in body:
        return text
    for message in reversed(json.loads(body)["messages"]):
        if message["role"] == "assistant":
            return text.removeprefix(message.get("content") or "")
    return text


@lru_cache
def whole(text: str) -> bytes:
    """Return an answer that is not streamed."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    return page(_document("chat.completion", choice, usage=_usage(text)), "application/json")


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


@lru_cache
def stream(text: str, *, counted: bool) -> Stream:
    """Return a streamed answer.

    Args:
        text: What it says.
        counted: Whether its tokens are counted in its last event but one.
    """
    speaker = _event({"role": "assistant", "content": ""})
    events = [_event({"content": token}) for token in _TOKEN.findall(text)]
    tokens = (speaker + events[0], *events[1:]) if events else ()
    end = _event({}, "stop") + (_usage_event(text) if counted else b"") + event(DONE) + BODY_END
    return Stream(tokens, end, b"".join((STREAM_HEAD, *tokens, end)))


def event(data: bytes) -> bytes:
    """Return an event in a chunk of its own."""
    return b"%x\r\ndata: %s\n\n\r\n" % (len(data) + 8, data)


def page(body: bytes, content_type: str, status: int = 200, extra: str = "") -> bytes:
    """Return an answer with a length."""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def refusal(status: int, retry_after: int | None) -> bytes:
    """Return an error in OpenAI's form."""
    kind = "rate_limit_error" if status == HTTPStatus.TOO_MANY_REQUESTS else "server_error"
    error = {"message": "the script says so", "type": kind, "param": None, "code": str(status)}
    extra = "" if retry_after is None else f"retry-after: {retry_after}\r\n"
    return page(_json({"error": error}), "application/json", status, extra)


def _event(delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event(_document("chat.completion.chunk", choice))


def _usage_event(text: str) -> bytes:
    return event(_document("chat.completion.chunk", usage=_usage(text)))


def _usage(text: str) -> dict[str, int]:
    tokens = len(_TOKEN.findall(text))
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": PROMPT_TOKENS + tokens,
    }


def _document(kind: str, *choices: Mapping[str, Any], usage: Any = None) -> bytes:
    document = {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": CREATED,
        "model": "scripted",
        "choices": choices,
    }
    return _json(document if usage is None else {**document, "usage": usage})


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
