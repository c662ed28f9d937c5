"""What makes two requests one."""

from collections.abc import Iterable
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec

from stormproof.errors import Problems
from stormproof.providers import ChatRequest
from stormproof.providers.chat import Document
from stormproof.reflex.stage import Call

_NO_PART: Final = frozenset(
    {
        "stream",
        "stream_options",
        "user",
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
    }
)
"""Fields that change nothing of an answer."""

_LEAST_SECRET: Final = 16
"""Bytes."""

_DIGEST: Final = 32
"""Bytes."""

_FORMAT: Final = b"stormproof-1"
"""Of what is digested, and of what is kept; others find nothing of it."""

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Fingerprint:
    """Tells by a short digest who asked what; without the secret the digest tells nobody.

    Args:
        secret: Makes the digests (BLAKE2b with a key, RFC 7693), 16 bytes at least. Processes that
            share a store need the same.

    Raises:
        ValidationErrors: The secret is too short.
    """

    def __init__(self, secret: bytes) -> None:
        problems = Problems()
        fine = len(secret) >= _LEAST_SECRET
        problems.check(fine, "secret", f"must have {_LEAST_SECRET} bytes at least", "short")
        problems.raise_if_any("the cache is not valid")
        key = blake2b(secret, digest_size=_DIGEST).digest()
        keyed = partial(blake2b, key=key, digest_size=_DIGEST, person=_FORMAT)
        self._digest, self._seal = keyed(), keyed(salt=b"seal")  # to be copied

    def of(
        self, call: Call, guard: str, document: Document | None = None, marks: Iterable[str] = ()
    ) -> bytes:
        """Return the digest of a call, with all that its answer depends on.

        Args:
            call: The call.
            guard: What the stages of its line are set to.
            document: What is asked; by default what the call asks.
            marks: What else counts.
        """
        request = call.request
        extended = isinstance(request, ChatRequest) and request.extended
        document = request.document if document is None else document
        asked = {}
        for name, value in document.items():
            if value is not None and name not in _NO_PART:
                whole = type(value) is float and value.is_integer()
                asked[name] = int(value) if whole else value
        kind = type(request).__name__
        told: list[Any] = [guard, call.caller.tenant, kind, extended, asked, *marks]
        digest = self._digest.copy()
        digest.update(_encode(told))
        return digest.digest()

    def seal(self, key: bytes, value: bytes) -> bytes:
        """Return what proves that a value was kept under a key by who knows the secret."""
        seal = self._seal.copy()
        seal.update(key + value)
        return seal.digest()
