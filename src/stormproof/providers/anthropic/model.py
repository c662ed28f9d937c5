"""A model behind Anthropic's Messages API."""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec
from pydantic import SecretStr

from stormproof.providers.anthropic.answer import chat_document
from stormproof.providers.anthropic.request import beta, body
from stormproof.providers.anthropic.stream import AnswerReader
from stormproof.providers.api import Api, Endpoint, is_stream
from stormproof.providers.chat import Capability, ChatRequest, Chunk, Completion, in_chunks
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.response import Response
from stormproof.providers.judging import Ends
from stormproof.providers.sse import EventDecoder

ANTHROPIC_CAPABILITIES: Final = frozenset(Capability) - {
    Capability.AUDIO,
    Capability.CHOICES,
    Capability.LOGPROBS,
}
"""What models behind this API can do."""

VERSION: Final = "2026-10-21"
"""From this one on, the API knows no temperature (https://platform.claude.com/docs/en/api/versioning)."""


class AnthropicModel:
    """A model of a provider; a `ChatModel`.

    Args:
        endpoint: The provider. With ``anthropic-version: 2023-06-01`` among its headers, models
            are told temperature and top_p, which those since Claude Opus 4.7 refuse.
        model: What it calls the model.
        client: Sends the requests.
        key: Proves who we are.
        max_tokens: How long an answer may be, in tokens, where the request does not say it.
        prefills: Whether the model goes on with a last message of the assistant, as those before
            Claude 4.6 do; others are asked to go on.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        client: HttpClient,
        key: SecretStr | None = None,
        max_tokens: int = 32_000,
        prefills: bool = False,
    ) -> None:
        self.name: Final = f"{endpoint.provider}/{model}"
        self._api = Api(endpoint, client, key)
        self._model = model
        self._max_tokens = max_tokens
        self._prefills = prefills
        self._version = endpoint.headers.get("anthropic-version", VERSION)
        self._beta = endpoint.headers.get("anthropic-beta")

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; see `ChatModel`."""
        with await self._send(request, stream=False) as response:
            return await self._completion(response)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `ChatModel`."""
        with await self._send(request, stream=True) as response:
            if not is_stream(response):
                for chunk in in_chunks(await self._completion(response)):
                    yield chunk
                return
            reader, decoder, ends = AnswerReader(), EventDecoder(), Ends(answers=1)
            while received := await response.receive():
                for event in decoder.feed(received):
                    for chunk in self._read(reader, event.data):
                        ends.note(chunk)
                        yield chunk
                    if reader.ended:
                        response.leave()
                        ends.check()
                        return
            ends.check()

    def _read(self, reader: AnswerReader, data: bytes) -> list[Chunk]:
        try:
            return reader.chunks(self._api.judge.document(data))
        except (msgspec.ValidationError, RecursionError) as error:
            raise self._api.judge.bad_event() from error

    async def _completion(self, response: Response) -> Completion:
        sent = await self._api.document(response)
        try:
            return self._api.judge.completion(chat_document(sent))
        except (msgspec.ValidationError, RecursionError) as error:
            raise self._api.judge.bad("answered with what is no message") from error

    async def _send(self, request: ChatRequest, *, stream: bool) -> Response:
        asked = body(
            request,
            samples=self._version < VERSION,
            max_tokens=self._max_tokens,
            prefills=self._prefills,
        )
        headers = {"anthropic-version": self._version}
        if wanted := ",".join(filter(None, (self._beta, beta(request)))):
            headers["anthropic-beta"] = wanted
        return await self._api.send({"model": self._model, "stream": stream, **asked}, headers)
