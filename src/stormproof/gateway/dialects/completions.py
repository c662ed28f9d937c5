"""OpenAI's older completions: texts that are continued."""

from typing import Any, Final

from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.dialects.openai import OpenAIReply, encode
from stormproof.providers import Chunk, Completion, TextRequest
from stormproof.providers.chat import Document


class TextReply(OpenAIReply[TextRequest]):
    """``text_completion``, whole and in pieces; a `Reply`.

    Args:
        body: The request's.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(TextRequest.parse(body), prefix="cmpl", kind="text_completion")

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return one document."""
        choices = [
            _choice(
                choice.get("index", place),
                choice["message"].get("content") or "",
                choice.get("logprobs"),
                choice["finish_reason"],
            )
            for place, choice in enumerate(answer.choices)
        ]
        usage = answer.usage.document()
        ours = {**self._head, "choices": choices, "usage": usage, "stormproof": told}
        return encode({**answer.document, **ours})

    def _choice(self, chunk: Chunk) -> Document:
        return _choice(chunk.index, chunk.text, chunk.logprobs, chunk.finish_reason)


def _choice(index: int, text: str, logprobs: Any, finish_reason: str | None) -> Document:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}


COMPLETIONS: Final = Dialect("/v1/completions", lambda body, _: TextReply(body), restarts=True)
