"""Whether a key is for what its holder does with it."""

from typing import Final

from stormproof.errors import PermissionDenied
from stormproof.providers import EmbeddingRequest
from stormproof.reflex.keys.issued import IssuedKeys
from stormproof.reflex.keys.key import Key, KeyScope
from stormproof.reflex.stage import PASSED, Call, Outcome, Rejected, Request


class ScopeStage:
    """Rejects what the caller's key does not open; keys of the settings open everything.

    Args:
        keys: Those that were made here.
    """

    name: Final = "scope"

    def __init__(self, keys: IssuedKeys) -> None:
        self._keys = keys

    def enter(self, call: Call) -> Outcome:
        """Look at what is asked, and by which key."""
        key = self._keys.named(call.caller.key)
        denied = key and _denied(key, call.request)
        return Rejected(denied) if denied else PASSED


def _denied(key: Key, request: Request) -> PermissionDenied | None:
    scope = KeyScope.EMBEDDINGS if isinstance(request, EmbeddingRequest) else KeyScope.CHAT
    if scope not in key.scopes:
        return PermissionDenied(user=f"the key {key.name!r}", operation=f"be used for {scope}")
    if not key.opens(request.model):
        # Which others there are is told nowhere; that there is one of this name is.
        return PermissionDenied(user=f"the key {key.name!r}", operation="ask this model")
    return None
