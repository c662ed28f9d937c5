"""A model behind OpenAI's chat completions, wherever that is spoken."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

import msgspec
from pydantic import SecretStr

from stormproof.errors import ConnectionLost, StormproofError
from stormproof.providers.chat import ChatRequest, Chunk, Completion, Document, in_chunks
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.response import Response
from stormproof.providers.openai.judging import Judge
from stormproof.providers.sse import EventDecoder

_MOST: Final = 64 << 20
"""Bytes of an answer."""

_MOST_REFUSAL: Final = 1 << 16
_DONE: Final = b"[DONE]"
_GOOD: Final = range(200, 300)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider listens, and how it wants to be asked.

    Attributes:
        provider: Its name in errors.
        url: Of chat completions.
        headers: Sent with each request, the key apart.
        key_header: The header that takes the key.
        key_prefix: What stands before it there.
        counts_streams: Whether it counts the tokens of a stream when asked to.
    """

    provider: str
    url: str
    headers: Mapping[str, str] = {}
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    counts_streams: bool = True


class OpenAIModel:
    """A model of a provider; a `ChatModel`.

    Args:
        endpoint: The provider.
        model: What it calls the model.
        client: Sends the requests.
        key: Proves who we are.
    """

    def __init__(
        self, endpoint: Endpoint, model: str, *, client: HttpClient, key: SecretStr | None = None
    ) -> None:
        self.name: Final = f"{endpoint.provider}/{model}"
        self._endpoint = endpoint
        self._model = model
        self._client = client
        self._key = key
        self._judge = Judge(endpoint.provider)

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; see `ChatModel`."""
        fields = {"model": self._model, "stream": None, "stream_options": None}
        with await self._send(request, fields) as response:
            return self._judge.completion(await response.read(_MOST))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `ChatModel`."""
        fields = {
            "model": self._model,
            "stream": True,
            "stream_options": {"include_usage": True} if self._endpoint.counts_streams else None,
        }
        ended: set[int] = set()
        with await self._send(request, fields) as response:
            async with aclosing(self._chunks(response)) as chunks:
                async for chunk in chunks:
                    if chunk.finish_reason:
                        ended.add(chunk.index)
                    yield chunk
        if len(ended) < request.choices:
            raise ConnectionLost(reason="the stream ended before the answer did")

    async def _chunks(self, response: Response) -> AsyncGenerator[Chunk, None]:
        """Yield what a stream holds, up to its end or its mark for that."""
        if "event-stream" not in (response.header("content-type") or ""):
            for chunk in in_chunks(self._judge.completion(await response.read(_MOST))):
                yield chunk
            return
        decoder = EventDecoder()
        async for received in response.chunks():
            for event in decoder.feed(received):
                if event.data == _DONE:
                    response.leave()
                    return
                for chunk in self._judge.chunks(event.data):
                    yield chunk

    async def _send(self, request: ChatRequest, fields: Document) -> Response:
        """Return a good answer's head.

        Raises:
            StormproofError: It is not a good one.
        """
        document = {**request.document, **fields}
        body = {name: value for name, value in document.items() if value is not None}
        response = await self._client.send(
            "POST", self._endpoint.url, self._headers(), msgspec.json.encode(body)
        )
        if response.status in _GOOD:
            return response
        with response:
            raise await self._refusal(response)

    async def _refusal(self, response: Response) -> StormproofError:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers
        }
        try:
            body: object = msgspec.json.decode(await response.read(_MOST_REFUSAL))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, StormproofError):
            body = None  # the status says enough
        return self._judge.refusal(response.status, headers, body)

    def _headers(self) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **self._endpoint.headers,
        }
        if self._key:
            secret = self._key.get_secret_value()
            headers[self._endpoint.key_header] = self._endpoint.key_prefix + secret
        return headers
