"""An embedding model of this machine, asked as any other provider is."""

from stormproof.engine import AsyncEmbedder
from stormproof.errors import InvalidRequest
from stormproof.providers.chat import Usage
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.providers.embeddings.vectors import from_bytes


class LocalEmbeddings:
    """A model that is loaded here; an `EmbeddingModel`.

    Args:
        embedder: What computes.
        max_chars: Most characters of all texts together.
    """

    def __init__(self, embedder: AsyncEmbedder, *, max_chars: int) -> None:
        self._embedder = embedder
        self._max_chars = max_chars

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed texts; see `EmbeddingModel`."""
        length = sum(len(text) for text in request.texts if isinstance(text, str))
        if length > self._max_chars:
            reason = f"the texts have {length} characters; at most {self._max_chars} are accepted"
            raise InvalidRequest(reason=reason, param="input")
        if request.dimensions not in (None, self._embedder.width):
            reason = f"the vectors of this model have {self._embedder.width} dimensions"
            raise InvalidRequest(reason=reason, param="dimensions")
        cut = request.document.get("truncate") is True
        found = await self._embedder.embed(request.texts, truncate=cut)
        vectors = [from_bytes(one.vector.astype("<f4").tobytes()) for one in found]
        return Embeddings(vectors, Usage(sum(one.tokens for one in found)))
