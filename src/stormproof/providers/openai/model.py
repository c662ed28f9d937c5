"""A model behind OpenAI's chat completions, wherever that is spoken."""

from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Final

from pydantic import SecretStr

from stormproof.providers.api import Endpoint
from stormproof.providers.chat import ChatRequest, Chunk, Completion, Document
from stormproof.providers.http.client import HttpClient
from stormproof.providers.judging import Judge
from stormproof.providers.openai.answering import Answering
from stormproof.providers.plain import plain

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
        self._answering = Answering(
            endpoint, client, key, whole=Judge.completion, pieces=Judge.chunks
        )
        self._endpoint = endpoint
        self._model = model

    def complete(self, request: ChatRequest) -> Coroutine[Any, Any, Completion]:
        """Answer at once; see `ChatModel`."""
        return self._answering.complete(self._document(request))

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `ChatModel`."""
        return self._answering.chunks(self._document(request), answers=request.choices)

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
