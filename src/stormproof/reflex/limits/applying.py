"""Which limits apply to a call."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import (
    ALL,
    Scope,
    Subject,
    of_address,
    of_key,
    of_model,
    of_user,
)
from stormproof.reflex.stage import Call

Limited: TypeAlias = tuple[Subject, LimitSettings]
"""Somebody, and what he may use."""

_NOTHING: Final = LimitSettings()
"""No limits."""


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

    def of(self, call: Call) -> Sequence[Limited]:
        """Return whose limits a call has to keep."""
        caller, model = call.caller, call.request.model
        found: list[Limited] = []
        limits = self._models.get(model, self._model)
        if limits is not _NOTHING:
            found.append((of_model(model), limits))
        if self._all:
            found.append((ALL, self._all))
        if caller.key is not None:
            limits = self._keys.get(caller.key, self._key)
            if caller.limits is not None:
                limits = _over(caller.limits, limits)
            if limits is not _NOTHING:
                found.append((of_key(caller.tenant, caller.key), limits))
        if self._user and caller.user is not None:
            found.append((of_user(caller.tenant, caller.user), self._user))
        if self._address and caller.address is not None:
            found.append((of_address(caller.address), self._address))
        return found


@lru_cache(maxsize=1024)
def _over(own: LimitSettings, others: LimitSettings) -> LimitSettings:
    return own.over(others)
