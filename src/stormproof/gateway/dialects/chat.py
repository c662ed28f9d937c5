"""OpenAI's chat completions: the common tongue itself."""

from typing import Final

from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.dialects.openai import OpenAIReply, encode
from stormproof.providers import ChatRequest, Chunk, Completion
from stormproof.providers.chat import Document


class ChatReply(OpenAIReply[ChatRequest]):
    """``chat.completion``, and ``chat.completion.chunk``; a `Reply`.

    Args:
        body: The request's.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, body: bytes) -> None:
        request = ChatRequest.parse(body)
        kind = "chat.completion.chunk" if request.streams else "chat.completion"
        super().__init__(request, prefix="chatcmpl", kind=kind)

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return one document."""
        usage = answer.usage.document()
        return encode({**answer.document, **self._head, "usage": usage, "stormproof": told})

    def _choice(self, chunk: Chunk) -> Document:
        return {
            "index": chunk.index,
            "delta": chunk.delta,
            "logprobs": chunk.logprobs,
            "finish_reason": chunk.finish_reason,
        }


CHAT: Final = Dialect("/v1/chat/completions", lambda body, _: ChatReply(body), restarts=True)
