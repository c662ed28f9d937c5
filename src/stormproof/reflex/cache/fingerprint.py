"""What makes two requests one."""

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
        self._secret = blake2b(secret, digest_size=_DIGEST).digest()

    def of(self, call: Call, guard: str) -> bytes:
        """Return the digest of a call, with all that its answer depends on.

        Args:
            call: The call.
            guard: What the stages of its line are set to.
        """
        return self.around(call, guard, call.request.document)

    def around(self, call: Call, guard: str, document: Document, *marks: str) -> bytes:
        """Return the digest of a call as if another document were asked.

        Args:
            call: The call.
            guard: As for `of`.
            document: What is asked.
            marks: What else counts.
        """
        request = call.request
        extended = isinstance(request, ChatRequest) and request.extended
        asked = {
            name: int(value) if type(value) is float and value.is_integer() else value
            for name, value in document.items()
            if name not in _NO_PART and value is not None
        }
        kind = type(request).__name__
        told: list[Any] = [guard, call.caller.tenant, kind, extended, asked, *marks]
        return blake2b(
            _encode(told), key=self._secret, digest_size=_DIGEST, person=_FORMAT
        ).digest()

    def seal(self, key: bytes, value: bytes) -> bytes:
        """Return what proves that a value was kept under a key by who knows the secret."""
        return blake2b(
            key + value, key=self._secret, digest_size=_DIGEST, person=_FORMAT, salt=b"seal"
        ).digest()
