"""What is asked of an embedding model, and what it answers.

OpenAI's API is the common tongue here too: read strictly where we look, passed on untouched where
we do not.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Protocol, Self, TypeAlias

from msgspec import Meta, Struct

from stormproof.errors import InvalidRequest
from stormproof.providers.chat import CHARACTERS_PER_TOKEN, Document, Usage
from stormproof.providers.documents import decoded, understood

Text: TypeAlias = str | list[int]
"""A text, or its tokens."""

Vector: TypeAlias = Sequence[float]
"""A list, or an array of floats of 32 bits."""

_MOST_TEXTS: Final = 2048

_Token = Annotated[int, Meta(ge=0, lt=2**31)]
_Tokens = Annotated[list[_Token], Meta(min_length=1)]


class _Known(Struct, frozen=True):
    """The fields that we look at; others are the models' business."""

    model: Annotated[str, Meta(min_length=1, max_length=512)]
    input: str | Annotated[list[str | _Token | _Tokens], Meta(min_length=1)]
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

    __slots__ = ("_known", "document", "texts")

    def __init__(self, document: Document) -> None:
        self._known = understood(document, _Known)
        self.document: Final = document
        self.texts: Final = _listed(self._known.input)

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
        """About how long the texts are together."""
        return sum(
            len(text) // CHARACTERS_PER_TOKEN if isinstance(text, str) else len(text)
            for text in self.texts
        )


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


def _listed(given: str | Sequence[str | int | list[int]]) -> list[Text]:
    """Return one or several texts, whichever way they were given, as a list of them.

    Raises:
        InvalidRequest: They are too many, or of several kinds.
    """
    if isinstance(given, str):
        return [given]
    if all(isinstance(one, int) for one in given):
        return [[one for one in given if isinstance(one, int)]]
    if len(given) > _MOST_TEXTS:
        reason = f"input: there are {len(given)} texts; at most {_MOST_TEXTS} are accepted"
        raise InvalidRequest(reason=reason, param="input")
    texts: list[Text] = [one for one in given if not isinstance(one, int)]
    if len(texts) < len(given) or len({type(text) for text in texts}) > 1:
        raise InvalidRequest(reason="input: must be all texts, or all tokens", param="input")
    return texts
