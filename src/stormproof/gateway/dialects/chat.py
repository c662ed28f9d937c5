"""OpenAI's chat completions: the common tongue itself."""

import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stormproof.errors import StormproofError
from stormproof.gateway import sse
from stormproof.gateway.dialects.dialect import Dialect
from stormproof.providers import ChatRequest, Chunk, Completion, Usage
from stormproof.providers.chat import Document

_encode: Final = msgspec.json.Encoder().encode


class ChatReply:
    """``chat.completion``, and ``chat.completion.chunk``; a `Reply`.

    Args:
        body: The request's.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, body: bytes) -> None:
        self.request: Final = ChatRequest.parse(body)
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion.chunk" if self.request.streams else "chat.completion",
            "created": int(time.time()),
            "model": self.request.model,
        }

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return one document."""
        usage = answer.usage.document()
        return _encode({**answer.document, **self._head, "usage": usage, "stormproof": told})

    def opening(self, first: Chunk, told: Document) -> bytes:
        """Return the first event."""
        return self._event(first, stormproof=told)

    def piece(self, chunk: Chunk) -> bytes:
        """Return an event."""
        return self._event(chunk)

    def ending(self, usage: Usage, told: Document) -> bytes:
        """Return the tokens, where they are wanted, and the mark of the end."""
        if not self.request.wants_usage:
            return sse.DONE
        last = {"choices": [], "usage": usage.document(), "stormproof": told}
        return _data({**self._head, **last}) + sse.DONE

    def failure(self, error: StormproofError) -> bytes:
        """Return what tells of it."""
        return sse.failure(error)

    def _event(self, chunk: Chunk, **more: object) -> bytes:
        choice = {
            "index": chunk.index,
            "delta": chunk.delta,
            "logprobs": chunk.logprobs,
            "finish_reason": chunk.finish_reason,
        }
        usage = {"usage": None} if self.request.wants_usage else {}
        return _data({**self._head, "choices": [choice], **usage, **more})


def _data(document: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % _encode(document)


CHAT: Final = Dialect("/v1/chat/completions", ChatReply)
