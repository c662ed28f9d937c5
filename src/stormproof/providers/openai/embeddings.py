"""An embedding model behind OpenAI's API, wherever that is spoken."""

from collections.abc import Sequence

from pydantic import SecretStr

from stormproof.providers.api import Api, Endpoint
from stormproof.providers.chat import Usage
from stormproof.providers.documents import Text
from stormproof.providers.embeddings.judging import judged
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.providers.http.client import HttpClient


class OpenAIEmbeddings:
    """A model of a provider; an `EmbeddingModel`.

    It is asked for the form that the client wants, and may answer in another.

    Args:
        endpoint: The provider.
        model: What it calls the model.
        client: Sends the requests.
        key: Proves who we are.
        batch: How many texts it takes in one call; more are sent in several.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        client: HttpClient,
        key: SecretStr | None = None,
        batch: int | None = None,
    ) -> None:
        self._api = Api(endpoint, client, key)
        self._model = model
        self._batch = batch

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed texts; see `EmbeddingModel`."""
        texts, step = request.texts, self._batch or len(request.texts)
        batches = [texts[place : place + step] for place in range(0, len(texts), step)]
        return self._joined([await self._ask(request, batch) for batch in batches])

    async def _ask(self, request: EmbeddingRequest, texts: Sequence[Text]) -> Embeddings:
        fields = {"model": self._model, "input": texts}
        with await self._api.send({**request.document, **fields}) as response:
            document = await self._api.document(response)
        judge, dimensions = self._api.judge, request.dimensions
        return judged(judge, document, texts=len(texts), dimensions=dimensions)

    def _joined(self, parts: Sequence[Embeddings]) -> Embeddings:
        if len(parts) == 1:
            return parts[0]
        if len({len(part.vectors[0]) for part in parts}) > 1:
            raise self._api.judge.bad("answered with vectors of several lengths")
        vectors = [vector for part in parts for vector in part.vectors]
        return Embeddings(vectors, Usage(sum(part.usage.prompt_tokens for part in parts)))
