"""A model behind OpenAI's older completions, wherever that is spoken."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from stormproof.providers.api import Endpoint
from stormproof.providers.chat import Chunk, Completion, Document, Usage
from stormproof.providers.http.client import HttpClient
from stormproof.providers.judging import Judge, usage_of
from stormproof.providers.openai.answering import Answering
from stormproof.providers.texts import TextRequest


class _Choice(msgspec.Struct, frozen=True):
    text: str
    index: int = 0
    finish_reason: str | None = None
    logprobs: Any = None


class OpenAITexts:
    """A model of a provider that continues texts; a `TextModel`.

    Args:
        endpoint: The provider.
        model: What it calls the model.
        client: Sends the requests.
        key: Proves who we are.
    """

    def __init__(
        self, endpoint: Endpoint, model: str, *, client: HttpClient, key: SecretStr | None = None
    ) -> None:
        self._answering = Answering(endpoint, client, key, whole=_whole, pieces=_pieces)
        self._model: Final = model

    async def complete(self, request: TextRequest) -> Completion:
        """Answer at once; see `TextModel`."""
        return await self._answering.complete({**request.document, "model": self._model})

    def stream(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `TextModel`."""
        document = {**request.document, "model": self._model}
        return self._answering.chunks(document, answers=request.choices)


def _whole(judge: Judge, document: Document) -> Completion:
    """Return an answer; an empty one is fine, as a text may be at its end."""
    choices = _choices(judge, document)
    if not choices:
        raise judge.bad("answered without a choice")
    if any(choice.finish_reason is None for choice in choices):
        raise judge.bad("answered with a choice that does not say why it ends")
    said = [
        {
            "index": choice.index,
            "message": {"role": "assistant", "content": choice.text},
            "logprobs": choice.logprobs,
            "finish_reason": choice.finish_reason,
        }
        for choice in choices
    ]
    return Completion({**document, "choices": said}, usage_of(document) or Usage())


def _pieces(judge: Judge, document: Document) -> list[Chunk]:
    usage = usage_of(document)
    chunks = [
        Chunk(
            choice.index,
            {"content": choice.text} if choice.text or choice.logprobs else {},
            choice.finish_reason or None,
            choice.logprobs,
        )
        for choice in _choices(judge, document)
    ]
    return [*chunks, Chunk(usage=usage)] if usage else chunks


def _choices(judge: Judge, document: Document) -> list[_Choice]:
    try:
        return msgspec.convert(document.get("choices"), list[_Choice])
    except msgspec.ValidationError as error:
        raise judge.bad("sent what is no part of an answer") from error
