"""Whether what a provider sent are the vectors that were asked for."""

from array import array
from binascii import Error, a2b_base64
from collections.abc import Awaitable, Callable
from math import isfinite
from typing import TypeAlias

import msgspec

from stormproof.providers.chat import Document, Usage
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.providers.embeddings.vectors import BYTES, Vector, from_bytes
from stormproof.providers.judging import Judge, usage_of

Embed: TypeAlias = Callable[[EmbeddingRequest], Awaitable[Embeddings]]


class _Entry(msgspec.Struct, frozen=True):
    embedding: list[float] | str
    index: int | None = None


def judged(judge: Judge, document: Document, *, texts: int, dimensions: int | None) -> Embeddings:
    """Return the vectors in a document, in the order of the texts.

    Args:
        judge: Says whose fault it is.
        document: What a provider sent.
        texts: How many texts it was given.
        dimensions: How many numbers each vector must have; None if nobody said.

    Raises:
        ProviderError: They are too few or too many, out of place, or no vectors.
    """
    try:
        entries = msgspec.convert(document.get("data"), list[_Entry])
    except msgspec.ValidationError as error:
        raise judge.bad("answered with what are no vectors") from error
    if len(entries) != texts:
        raise judge.bad(f"answered with {len(entries)} vectors for {texts} texts")
    vectors = [_vector(judge, entry) for entry in _in_order(judge, entries)]
    widths = {len(vector) for vector in vectors}
    if len(widths) > 1 or dimensions not in (None, *widths):
        raise judge.bad("answered with vectors of a wrong length")
    return Embeddings(vectors, usage_of(document) or Usage())


def _in_order(judge: Judge, entries: list[_Entry]) -> list[_Entry]:
    """Sort by index; where none is given, they are where they belong."""
    places = [place if entry.index is None else entry.index for place, entry in enumerate(entries)]
    if sorted(places) != list(range(len(entries))):
        raise judge.bad("answered with vectors of which nobody knows whose they are")
    return [entry for _, entry in sorted(zip(places, entries, strict=True), key=lambda e: e[0])]


def _vector(judge: Judge, entry: _Entry) -> Vector:
    sent = entry.embedding
    vector = _decoded(judge, sent) if isinstance(sent, str) else sent
    # As floats of 32 bits, since that is what clients make of them; a sum is none if one is none.
    if not vector or not isfinite(sum(array("f", vector))):
        raise judge.bad("answered with a vector that is none")
    return vector


def _decoded(judge: Judge, text: str) -> Vector:
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError) as error:
        raise judge.bad("answered with a vector that is not base64") from error
    if len(content) % BYTES:
        raise judge.bad("answered with half a number")
    return from_bytes(content)


def sized(embed: Embed, provider: str, dimensions: int) -> Embed:
    """Return what embeds, and refuses vectors of another length.

    Args:
        embed: What embeds.
        provider: Whose errors they are.
        dimensions: How many numbers a vector must have, unless the request says it.
    """

    async def checked(request: EmbeddingRequest) -> Embeddings:
        found = await embed(request)
        length = len(found.vectors[0])
        if request.dimensions is None and length != dimensions:
            raise Judge(provider).bad(f"answered with vectors of {length} numbers")
        return found

    return checked
