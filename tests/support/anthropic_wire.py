"""What Anthropic's Messages API puts on the wire."""

import json
from collections.abc import Sequence
from typing import Any


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", headers: str = ""
) -> bytes:
    """An answer of HTTP."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}"
    return f"{head}\r\n".encode() + body


def message(*content: Any, reason: Any = "end_turn", **others: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
        **others,
    }


def whole(*content: Any, **others: Any) -> bytes:
    """The same, on the wire."""
    return answer(json.dumps(message(*content, **others)).encode())


def refusal(kind: str, words: str = "no") -> dict[str, Any]:
    """What is sent in place of an answer."""
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}


def events(documents: Sequence[Any]) -> bytes:
    """A stream."""
    lines = [
        f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()
        for document in documents
    ]
    return answer(b"".join(lines), kind="text/event-stream; charset=utf-8")


def start(**usage: Any) -> dict[str, Any]:
    """The event with which a stream begins."""
    counted = {"input_tokens": 3, "output_tokens": 1, **usage}
    return {"type": "message_start", "message": message(reason=None, usage=counted)}


def block(index: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    """The events of a text."""
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, {"type": "text", "text": ""}, *deltas)


def call(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    """The events of a call."""
    begun = {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, begun, *deltas)


def thought(index: int, *pieces: str, signature: str = "c2ln") -> list[dict[str, Any]]:
    """The events of a thought."""
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": signature}
    begun = {"type": "thinking", "thinking": "", "signature": ""}
    return block(index, begun, *deltas, signed)


def end(reason: str = "end_turn", *, tokens: int = 5, **others: Any) -> list[dict[str, Any]]:
    """The events with which a stream ends."""
    usage = {"output_tokens": tokens, **others.pop("usage", {})}
    delta = {"stop_reason": reason, "stop_sequence": None, **others}
    return [
        {"type": "message_delta", "delta": delta, "usage": usage},
        {"type": "message_stop"},
    ]
