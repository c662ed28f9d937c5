"""A scripted provider's answers in the form of Anthropic's messages."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from stormproof.testing.provider import http_wire
from stormproof.testing.provider.http_wire import BODY_END, Stream, compact, document
from stormproof.testing.provider.openai_wire import PROMPT_TOKENS
from stormproof.testing.provider.replies import Rest, ToolCall, tokens_of

GARBAGE: Final = http_wire.event(b'{"type":"content_block_delta","ind', "content_block_delta")
_OVERLOADED: Final = 529
_KINDS: Final = {
    HTTPStatus.TOO_MANY_REQUESTS.value: "rate_limit_error",
    _OVERLOADED: "overloaded_error",
}


@lru_cache
def whole(rest: Rest) -> bytes:
    """Return an answer that is not streamed."""
    texts = [{"type": "text", "text": rest.reply.text}] if rest.reply.text else []
    calls = [_call(call, json.loads(call.arguments)) for call in rest.reply.calls]
    usage = {**_read(rest), "output_tokens": rest.reply.tokens}
    return document(_message([*texts, *calls], _reason(rest), usage))


@lru_cache
def stream(rest: Rest, *, counted: bool) -> Stream:  # noqa: ARG001 - here tokens always are
    """Return a streamed answer."""
    begun = _event("message_start", message=_message([], None, {**_read(rest), "output_tokens": 1}))
    tokens = [token for block in _blocks(rest) for token in block]
    end = _event(
        "message_delta",
        delta={"stop_reason": _reason(rest), "stop_sequence": None},
        usage={"output_tokens": rest.reply.tokens},
    )
    first, *others = [*tokens, b""]
    last = end + _event("message_stop") + BODY_END
    return Stream.of(
        (begun + first, *others[:-1]) if first else (), last if first else begun + last
    )


def refusal(status: int, retry_after: int | None) -> bytes:
    """Return an error."""
    return document(_error(_KINDS.get(status, "api_error")), status, retry_after)


def _blocks(rest: Rest) -> list[list[bytes]]:
    """Return the events of each block's tokens."""
    texts = [{"type": "text_delta", "text": token} for token in tokens_of(rest.reply.text)]
    blocks = [({"type": "text", "text": ""}, texts)] if texts else []
    for call in rest.reply.calls:
        pieces = ["", *tokens_of(call.arguments)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        blocks.append((_call(call, {}), deltas))
    return [_block(place, *block) for place, block in enumerate(blocks)]


def _block(
    index: int, begun: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]]
) -> list[bytes]:
    events = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    events[0] = _event("content_block_start", index=index, content_block=begun) + events[0]
    events[-1] += _event("content_block_stop", index=index)
    return events


def _call(call: ToolCall, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _reason(rest: Rest) -> str:
    return "tool_use" if rest.reply.calls else "end_turn"


def _read(rest: Rest) -> dict[str, int]:
    return {"input_tokens": PROMPT_TOKENS + rest.begun}


def _message(
    content: Sequence[Any], reason: str | None, usage: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "the script says so"}}


def _event(kind: str, **fields: Any) -> bytes:
    return http_wire.event(compact({"type": kind, **fields}), kind)


ERROR_EVENT: Final = http_wire.event(compact(_error("overloaded_error")), "error")
