"""New keys."""

import hashlib

from stormproof.reflex.keys import digest_of, mint


def test_a_key_cannot_be_guessed_and_is_told_by_its_beginning() -> None:
    """256 random bits, in characters that need no quotes anywhere."""
    keys = {mint() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(key.startswith("sp-") and len(key) == 3 + 43 for key in keys)


def test_a_key_is_known_by_its_sha256() -> None:
    """Whatever was sent, half of a surrogate pair too."""
    assert digest_of("sp-x") == hashlib.sha256(b"sp-x").digest()
    assert digest_of("\ud800") != digest_of("\ud801")
