"""A scripted provider's vectors, in the form of OpenAI's embeddings."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from struct import pack
from typing import Any, Final

from stormproof.testing.provider.http_wire import document
from stormproof.testing.provider.replies import tokens_of

_DIMENSIONS: Final = 8


@lru_cache
def vector_of(text: str) -> tuple[float, ...]:
    """Return a text's vector. Those of two texts differ."""
    return tuple(byte / 256 for byte in blake2b(text.encode(), digest_size=_DIMENSIONS).digest())


@lru_cache
def vectors(texts: tuple[str, ...], *, packed: bool) -> bytes:
    """Return the vectors of texts.

    Args:
        texts: What is embedded.
        packed: Whether they are wanted as base64.
    """
    tokens = sum(len(tokens_of(text)) for text in texts)
    return document(
        {
            "object": "list",
            "data": [_entry(place, text, packed=packed) for place, text in enumerate(texts)],
            "model": "scripted",
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _entry(place: int, text: str, *, packed: bool) -> Mapping[str, Any]:
    vector = vector_of(text)
    whole = base64.b64encode(pack(f"<{_DIMENSIONS}f", *vector)).decode() if packed else vector
    return {"object": "embedding", "index": place, "embedding": whole}
