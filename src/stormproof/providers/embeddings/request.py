"""What is asked of an embedding model, and what it answers.

OpenAI's API is the common tongue here too: read strictly where we look, passed on untouched where
we do not.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Protocol, Self

from msgspec import Meta, Struct

from stormproof.providers.chat import CHARACTERS_PER_TOKEN, Document, Model, Usage
from stormproof.providers.documents import Input, decoded, listed, understood
from stormproof.providers.embeddings.vectors import Vector

_MOST_TEXTS: Final = 2048


class _Known(Struct, frozen=True):
    """The fields that we look at; others are the models' business."""

    model: Model
    input: Input
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, lt=2**31)] | None = None


class EmbeddingRequest:
    """A request for the vectors of texts.

    Args:
        document: As the client sent it.

    Attributes:
        document: The same, for whoever passes it on.
        texts: What is to be embedded, at least one.

    Raises:
        InvalidRequest: A field that matters here is missing, or is not what it must be.
    """

    __slots__ = ("_known", "_tokens", "document", "texts")

    def __init__(self, document: Document) -> None:
        self._known = understood(document, _Known)
        self._tokens: int | None = None
        self.document: Final = document
        self.texts: Final = listed(self._known.input, "input", _MOST_TEXTS)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request.

        Raises:
            InvalidRequest: It is not JSON, or not a request.
        """
        return cls(decoded(body))

    @property
    def model(self) -> str:
        """Who is asked."""
        return self._known.model

    @property
    def wants_base64(self) -> bool:
        """Whether vectors are wanted as the bytes of their numbers."""
        return self._known.encoding_format == "base64"

    @property
    def dimensions(self) -> int | None:
        """How many numbers a vector is to have; None for as many as the model gives."""
        return self._known.dimensions

    @property
    def tokens(self) -> int:
        """About how long the texts are together; counted once."""
        if self._tokens is None:
            self._tokens = sum(
                len(text) // CHARACTERS_PER_TOKEN + 1 if isinstance(text, str) else len(text)
                for text in self.texts
            )
        return self._tokens


class Embeddings(Struct, frozen=True):
    """The vectors of texts, judged to be that.

    Attributes:
        vectors: One for each text, in order; all of one length.
        usage: Tokens of the texts.
    """

    vectors: Sequence[Vector]
    usage: Usage


class EmbeddingModel(Protocol):
    """One embedding model of one provider."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed texts. Cancelled, it stops working.

        Raises:
            StormproofError: There are no vectors.
        """
        ...
