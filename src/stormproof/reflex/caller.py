"""Who asks."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stormproof.reflex.limits.limit_settings import LimitSettings

_LONGEST: Final = 200


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request; what is limited, remembered or paid is so for one of these.

    Attributes:
        tenant: To whom the key belongs; nobody sees what another tenant was answered.
        key: The key's name, never the key; None where none is needed.
        user: On whose behalf, as the key's holder says.
        address: From where.
        limits: What the key may use, where that is not what any key may.
    """

    tenant: str = ""
    key: str | None = None
    user: str | None = None
    address: str | None = None
    limits: LimitSettings | None = None

    def asking(self, document: Mapping[str, Any]) -> "Caller":
        """Return the same, on behalf of whom a request names, unless that is known already."""
        user = document.get("user")
        if self.user or not isinstance(user, str):
            return self
        return msgspec.structs.replace(self, user=printable(user) or None)


def printable(text: str) -> str:
    """Return what a client calls somebody or something as it may be kept and shown.

    What cannot be printed is left out, and what is too long is cut.
    """
    text = text[:_LONGEST]
    return text if text.isprintable() else "".join(filter(str.isprintable, text))
