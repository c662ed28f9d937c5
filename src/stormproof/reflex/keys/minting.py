"""Making keys, and telling them by what does not give them away.

A key has 256 random bits. Nobody can guess the key of a digest, however fast digests are made, so
that a slow one, as passwords need it, would cost every request time and protect nothing.
"""

import hashlib
import secrets
from typing import Final

PREFIX: Final = "sp-"
"""By this, people and scanners of repositories know what they have found."""

_BYTES: Final = 32


def mint() -> str:
    """Return a new key."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(key: str) -> bytes:
    """Return by what a key is known: 32 bytes, SHA-256."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
