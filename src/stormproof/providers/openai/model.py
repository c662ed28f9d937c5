"""A model behind OpenAI's chat completions, wherever that is spoken."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from pydantic import SecretStr

from stormproof.providers.api import Api, Endpoint, is_stream
from stormproof.providers.chat import ChatRequest, Chunk, Completion, Document, in_chunks
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.response import Response
from stormproof.providers.judging import to_the_end
from stormproof.providers.plain import plain

_DONE: Final = b"[DONE]"
_LIMITS: Final = ("max_tokens", "max_completion_tokens")


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
        self._api = Api(endpoint, client, key)
        self._endpoint = endpoint
        self._model = model
        self._counted = {"include_usage": True} if endpoint.counts_streams else None

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; see `ChatModel`."""
        fields = {"stream": None, "stream_options": None}
        with await self._api.send({**self._document(request), **fields}) as response:
            return await self._completion(response)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `ChatModel`."""
        return to_the_end(self._chunks(request), answers=request.choices)

    async def _chunks(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Yield what a stream holds, up to its end or its mark for that."""
        fields = {"stream": True, "stream_options": self._counted}
        with await self._api.send({**self._document(request), **fields}) as response:
            if not is_stream(response):
                for chunk in in_chunks(await self._completion(response)):
                    yield chunk
                return
            async with aclosing(self._api.events(response)) as events:
                async for event in events:
                    if event.data == _DONE:
                        response.leave()
                        return
                    for chunk in self._api.judge.chunks(self._api.judge.document(event.data)):
                        yield chunk

    async def _completion(self, response: Response) -> Completion:
        return self._api.judge.completion(await self._api.document(response))

    def _document(self, request: ChatRequest) -> Document:
        """Return a request as the endpoint wants it."""
        endpoint, document = self._endpoint, {**plain(request), "model": self._model}
        if request.extended:
            document["top_k"] = None  # few know it, and the others refuse it
        if endpoint.max_tokens_field and request.max_tokens:
            document |= dict.fromkeys(_LIMITS) | {endpoint.max_tokens_field: request.max_tokens}
        messages = document["messages"]
        if messages[-1]["role"] == "assistant":
            begun = {**messages[-1], **endpoint.prefill_message}
            document["messages"] = [*messages[:-1], begun]
            document |= endpoint.prefill_body
        return document
