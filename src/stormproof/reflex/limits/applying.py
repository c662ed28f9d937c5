"""Which limits apply to a call."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from stormproof.reflex.limits.headers import Told, told
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import (
    ALL,
    LONGEST,
    Scope,
    Subject,
    of_address,
    of_key,
    of_model,
    of_user,
    shortened,
)
from stormproof.reflex.stage import Call

Limited: TypeAlias = tuple[Subject, LimitSettings]
"""Somebody, and what he may use."""

_NOTHING: Final = LimitSettings()
"""No limits."""

_REMEMBERED: Final = 4096


class Applying(Struct, frozen=True):
    """Whose limits a call has to keep.

    Attributes:
        metered: Those who have limited requests or tokens.
        told: What is told of these.
        budgeted: Those who have limited money.
    """

    metered: Sequence[Limited]
    told: Sequence[Told]
    budgeted: Sequence[Limited]


class Limits:
    """What keys, users, addresses and models may use, each for itself, and all together.

    A caller without a key, a user or an address has no limit of that kind.

    Args:
        scopes: What each key may use, each user …; no limits for scopes that are not there.
        keys: What keys of these names may use, in place of what any key may; a `Caller`'s own
            limits come before both.
        models: The same for models, by what clients call them.
    """

    def __init__(
        self,
        scopes: Mapping[Scope, LimitSettings] = MappingProxyType({}),
        *,
        keys: Mapping[str, LimitSettings] = MappingProxyType({}),
        models: Mapping[str, LimitSettings] = MappingProxyType({}),
    ) -> None:
        self._all: Final = scopes.get(Scope.ALL)
        self._user: Final = scopes.get(Scope.USER)
        self._address: Final = scopes.get(Scope.ADDRESS)
        self._key: Final = scopes.get(Scope.KEY, _NOTHING)
        self._model: Final = scopes.get(Scope.MODEL, _NOTHING)
        self._keys: Final = {name: one.over(self._key) for name, one in keys.items()}
        self._models: Final = {name: one.over(self._model) for name, one in models.items()}
        # Most calls are those of somebody who was here before.
        self._remembered: Final = lru_cache(maxsize=_REMEMBERED)(self._applying)

    def of(self, call: Call) -> Applying:
        """Return whose limits a call has to keep."""
        caller = call.caller
        user = caller.user and shortened(caller.user) if self._user else None
        address = caller.address and caller.address[:LONGEST] if self._address else None
        return self._remembered(
            call.request.model, caller.tenant, caller.key, user, address, caller.limits
        )

    def _applying(  # noqa: PLR0917 - what is remembered is told apart by all of these
        self,
        model: str,
        tenant: str,
        key: str | None,
        user: str | None,
        address: str | None,
        own: LimitSettings | None,
    ) -> Applying:
        found = [(of_model(model), self._models.get(model, self._model))]
        if self._all:
            found.append((ALL, self._all))
        if key is not None:
            limits = self._keys.get(key, self._key)
            found.append((of_key(tenant, key), _over(own, limits) if own else limits))
        if self._user and user is not None:
            found.append((of_user(tenant, user), self._user))
        if self._address and address is not None:
            found.append((of_address(address), self._address))
        metered = tuple(one for one in found if one[1].meters)
        return Applying(metered, told(metered), tuple(one for one in found if one[1].budgets))


@lru_cache(maxsize=1024)
def _over(own: LimitSettings, others: LimitSettings) -> LimitSettings:
    return own.over(others)
