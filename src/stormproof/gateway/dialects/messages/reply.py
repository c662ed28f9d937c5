"""The answer to a request that came by Anthropic's Messages API."""

import secrets
from typing import Final

import msgspec
from starlette.types import Scope

from stormproof.errors import InternalError, StormproofError
from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.dialects.messages.answer import calls, content, end, thoughts, tokens
from stormproof.gateway.dialects.messages.errors import PATH, error_document
from stormproof.gateway.dialects.messages.request import chat_request
from stormproof.gateway.dialects.messages.stream import Blocks, event
from stormproof.gateway.headers import header, headers_of
from stormproof.providers import Chunk, Completion, Usage
from stormproof.providers.chat import Document
from stormproof.providers.collector import Collector
from stormproof.providers.documents import decoded

_AT_ONCE: Final = frozenset(
    {"role", "content", "reasoning", "reasoning_content", "thinking_blocks"}
)
"""What a stream tells as it comes; the rest, and why it ends, stands at its end."""

_encode: Final = msgspec.json.Encoder().encode


class MessagesReply:
    """A ``message``, and its events; a `Reply`.

    Args:
        body: The request's.
        betas: What of the API that is not for everybody yet the client uses, as in its header.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, body: bytes, betas: str | None = None) -> None:
        self.request: Final = chat_request(decoded(body), betas)
        self._blocks = Blocks()
        self._rest = Collector()

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return one document."""
        choice = answer.choices[0]
        return _encode(self._message(content(choice), end(choice), answer.usage, told))

    def opening(self, first: Chunk, told: Document) -> bytes:
        """Return the beginning of the message; a real count comes at its end."""
        not_yet = {"stop_reason": None, "stop_sequence": None}
        message = self._message([], not_yet, first.usage or Usage(), told)
        return event("message_start", message=message) + event("ping") + self.piece(first)

    def piece(self, chunk: Chunk) -> bytes:
        """Return what says some more; nothing where that is told at the end."""
        said = chunk.delta
        if chunk.finish_reason or not said.keys() <= _AT_ONCE:
            self._rest.add(chunk)
        events = b"".join([self._blocks.thought(thought) for thought in thoughts(said)])
        text = said.get("content")
        return events + self._blocks.text(text) if text else events

    def ending(self, usage: Usage, told: Document) -> bytes:
        """Return the calls, each as one block, and the end of the message."""
        rest = self._rest.completion()
        if rest is None:
            raise InternalError(reason="a stream ended without saying why")
        choice = rest.choices[0]
        return b"".join(
            (
                *map(self._blocks.call, calls(choice)),
                self._blocks.close(),
                event("message_delta", delta=end(choice), usage=tokens(usage), stormproof=told),
                event("message_stop"),
            )
        )

    def failure(self, error: StormproofError) -> bytes:
        """Return what tells of it."""
        return b"event: error\ndata: %b\n\n" % _encode(error_document(error))

    def _message(
        self, blocks: list[Document], ended: Document, usage: Usage, told: Document
    ) -> Document:
        return {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": self.request.model,
            "content": blocks,
            **ended,
            "usage": tokens(usage),
            "stormproof": told,
        }


def _reply(body: bytes, scope: Scope) -> MessagesReply:
    return MessagesReply(body, header(headers_of(scope), b"anthropic-beta"))


MESSAGES: Final = Dialect(PATH, _reply)
