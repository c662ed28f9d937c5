"""Keys that are made here: who holds one, what it opens, and until when."""

from stormproof.reflex.keys.issued import IssuedKeys, KeyBook
from stormproof.reflex.keys.key import Key, KeyScope, Standing
from stormproof.reflex.keys.minting import digest_of, mint
from stormproof.reflex.keys.scope_stage import ScopeStage

__all__ = [
    "IssuedKeys",
    "Key",
    "KeyBook",
    "KeyScope",
    "ScopeStage",
    "Standing",
    "digest_of",
    "mint",
]
