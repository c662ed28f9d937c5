"""A key, without the key: whose it is, and what it opens."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate as pattern_of
from functools import cached_property
from typing import Final

from stormproof.errors import InvalidValue, Unauthorized
from stormproof.reflex.caller import Caller
from stormproof.reflex.limits.limit_settings import LimitSettings

RESERVED: Final = "settings-"
"""So begin the names of keys that stand in the settings."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_GLOBS: Final = 64
_LONGEST_GLOB: Final = 256


class KeyScope(StrEnum):
    """What a key may be used for."""

    CHAT = "chat"
    """Conversations and texts, by every API."""

    EMBEDDINGS = "embeddings"


class Standing(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Key:
    """What is known of a key.

    Attributes:
        name: What people, settings and metrics call it; there are no two of a name, ever.
        tenant: To whom it belongs.
        digest: By what it is known.
        models: Globs of the models that it may ask; all if there are none.
        scopes: What it may be used for.
        limits: How much its holder may use, where that is not what any key may.
        created: When it was made, in seconds since 1970, as all times here.
        expires: When it ceases to be good; None if it does not.
        revoked: When somebody put an end to it.

    Raises:
        InvalidValue: It cannot be so called, or open such models.
    """

    name: str
    digest: bytes = field(repr=False)
    created: float
    tenant: str = ""
    models: tuple[str, ...] = ()
    scopes: frozenset[KeyScope] = frozenset(KeyScope)
    limits: LimitSettings | None = None
    expires: float | None = None
    revoked: float | None = None

    def __post_init__(self) -> None:
        for what, name in (("key", self.name), ("tenant", self.tenant or "x")):
            if not _NAME.fullmatch(name):
                reason = (
                    "letters, digits, '_', '.' and '-', at most 64, and the first is none of '_.-'"
                )
                raise InvalidValue(reason=f"the name of a {what} has {reason}")
        if self.name.startswith(RESERVED):
            reason = f"names that begin with {RESERVED!r} are those of the settings' own keys"
            raise InvalidValue(reason=reason)
        if len(self.models) > _MOST_GLOBS or any(len(one) > _LONGEST_GLOB for one in self.models):
            reason = f"a key has at most {_MOST_GLOBS} globs of {_LONGEST_GLOB} characters"
            raise InvalidValue(reason=reason)

    def standing(self, now: float) -> Standing:
        """Return whether it opens anything at a time."""
        if self.revoked is not None:
            return Standing.REVOKED
        if self.expires is not None and self.expires <= now:
            return Standing.EXPIRED
        return Standing.ACTIVE

    def check(self, now: float) -> None:
        """Let its holder pass, or say why not: nobody else has it, so it is told to nobody else.

        Raises:
            Unauthorized: It is no longer good.
        """
        standing = self.standing(now)
        if standing is not Standing.ACTIVE:
            raise Unauthorized(reason=f"the key is {standing}")

    @cached_property
    def holder(self) -> Caller:
        """Who asks with it."""
        return Caller(self.tenant, self.name, limits=self.limits)

    def opens(self, model: str) -> bool:
        """Say whether it may ask a model."""
        return not self.models or self._globs.match(model) is not None

    def opens_for(self, scope: KeyScope, model: str) -> bool:
        """Say whether it may ask a model for something."""
        return scope in self.scopes and self.opens(model)

    @cached_property
    def _globs(self) -> re.Pattern[str]:
        return re.compile("|".join(map(pattern_of, self.models)))
