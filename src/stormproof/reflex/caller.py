"""Who asks."""

from dataclasses import dataclass

from stormproof.reflex.limits.limit_settings import LimitSettings


@dataclass(frozen=True, slots=True)
class Caller:
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
