"""What one has left of its limits, in this process."""

from math import inf
from typing import Final, TypeAlias

from stormproof.recovery.limits.bucket import TokenBucket
from stormproof.recovery.sharing.joint_operations import MeterState
from stormproof.reflex.limits.limit_settings import LimitSettings

MINUTE: Final = 60.0

Debts: TypeAlias = tuple[float, float]
"""Seconds until all requests are there, and all tokens."""


class Gauge:
    """Requests, tokens and places that one has left; belongs to one event loop, so without locks.

    Attributes:
        settings: Its limits.
    """

    __slots__ = ("_places", "_requests", "_taken", "_tokens", "settings")

    def __init__(self) -> None:
        self.settings = LimitSettings()
        self._places: float = inf
        self._requests: TokenBucket | None = None
        self._tokens: TokenBucket | None = None
        self._taken = 0

    def set(self, settings: LimitSettings, now: float) -> None:
        """Go by other limits from now on, which are used up to the same part of a minute."""
        requests, tokens = self.debts(now)
        self.settings = settings
        self._places = settings.concurrency or inf
        self._requests = _bucket(settings.requests_per_minute, requests, now)
        self._tokens = _bucket(settings.tokens_per_minute, tokens, now)

    def take(self, tokens: int, now: float) -> Debts | None:
        """Take a request, its tokens and a place; return what is then owed, None if any lacked."""
        if self._taken >= self._places or (self._requests and self._requests.take(1, now)):
            return None
        if self._tokens and self._tokens.take(tokens, now):
            if self._requests:
                self._requests.give_back(1, now)
            return None
        self._taken += 1
        return self.debts(now)

    def give_back(self, tokens: int, now: float) -> None:
        """Return what was taken for a request that was not let in."""
        if self._requests:
            self._requests.give_back(1, now)
        self.leave(-tokens, now)

    def leave(self, extra: int, now: float) -> None:
        """Return a request's place, and correct its tokens, by a minute's worth at most."""
        self._taken -= 1
        if extra > 0:
            extra = min(extra, self.settings.tokens_per_minute or 0)
        if self._tokens:
            self._tokens.charge(extra, now)

    def debts(self, now: float) -> Debts:
        """Return how much of its limits is used."""
        requests = self._requests.full_at - now if self._requests else 0.0
        tokens = self._tokens.full_at - now if self._tokens else 0.0
        return requests if requests > 0.0 else 0.0, tokens if tokens > 0.0 else 0.0

    def state(self, now: float) -> MeterState:
        """Return how its limits stand."""
        return MeterState(self.debts(now), self._taken)


def _bucket(per_minute: int | None, debt: float, now: float) -> TokenBucket | None:
    if per_minute is None:
        return None
    bucket = TokenBucket(per_minute, MINUTE, per_minute)
    bucket.charge(debt * per_minute / MINUTE, now)
    return bucket
