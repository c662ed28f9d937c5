"""Users whose names say who they are go by others."""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from stormproof.reflex.caller import Caller
from stormproof.reflex.pii.finder import Finder
from stormproof.reflex.pii.finding import Kind

_DIGEST: Final = 8
"""Bytes: of a million users no two are likely to have the same."""

_PSEUDONYM: Final = re.compile(rf"(?:{'|'.join(Kind)})-[0-9a-f]{{{2 * _DIGEST}}}")
_REMEMBERED: Final = 4096


def is_pseudonym(name: str) -> bool:
    """Return whether a name has the form of those that are made here, and so holds nothing."""
    return _PSEUDONYM.fullmatch(name) is not None


class Pseudonyms:
    """Names of users in whose own something personal is found, such as an e-mail address.

    One is made of the user's own and of a secret: his requests are counted together as before, and
    nobody without the secret can tell, or try out, whose they are.

    Args:
        finder: Finds something personal.
        key: The secret; with the same a user has the same name, in every process.
    """

    def __init__(self, finder: Finder, key: bytes) -> None:
        self._finder = finder
        self._key = blake2b(key, person=b"users").digest()
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._name)

    def known(self, caller: Caller) -> Caller:
        """Return a caller as he may be counted and written down."""
        if not caller.user:
            return caller
        name = self._remembered(caller.tenant, caller.user)
        return caller if name == caller.user else msgspec.structs.replace(caller, user=name)

    def _name(self, tenant: str, user: str) -> str:
        found = self._finder.find(user)
        if not found:
            return user
        whose = f"{len(tenant)}:{tenant}{user}".encode("utf-8", "surrogatepass")
        return f"{found[0].kind}-{blake2b(whose, key=self._key, digest_size=_DIGEST).hexdigest()}"
