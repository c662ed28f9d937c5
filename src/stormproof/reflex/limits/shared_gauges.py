"""What all have left, where several processes share it."""

import dataclasses
from functools import lru_cache
from hashlib import sha256
from itertools import count
from typing import Final
from uuid import uuid4

from stormproof.recovery import Store
from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.sharing.joint_operations import (
    UNMETERED,
    Bucket,
    EnterMeters,
    LeaveMeters,
    Meter,
)
from stormproof.recovery.sharing.store import result_of
from stormproof.reflex.limits.applying import Applying
from stormproof.reflex.limits.gauge import MINUTE
from stormproof.reflex.limits.gauges import LocalGauges, Seat, Standing, Taken
from stormproof.reflex.limits.headers import told
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import Subject


class SharedGauges:
    """What all have left, in a store; belongs to one event loop.

    While the store is out of reach, the process goes by gauges of its own: no call waits or fails
    for it, and together the processes may let in more than the limits say.

    Args:
        store: Where it is.
        longest: Seconds after which a call that did not end holds its places no longer: its
            process was killed.
        share: The part of each limit that this process lets in meanwhile; more than 0, up to 1.
        alone: What it goes by then.
    """

    def __init__(
        self,
        store: Store,
        *,
        longest: float = 600.0,
        share: float = 1.0,
        alone: LocalGauges | None = None,
    ) -> None:
        self._store: Final = store
        self._longest: Final = longest
        self._share: Final = share
        self._alone: Final = alone or LocalGauges()
        self._process: Final = uuid4().hex
        self._calls: Final = count()

    async def take(self, applying: Applying, tokens: int) -> Taken:
        """Take from every limit, or nothing from any."""
        limited = applying.metered
        meters = tuple(_meter(subject, settings, tokens) for subject, settings in limited)
        call = f"{self._process}-{next(self._calls)}"
        entered = await self._store.aask(EnterMeters(meters, call, self._longest))
        if entered is None:
            shares = [(subject, _part(settings, self._share)) for subject, settings in limited]
            return self._alone.take(Applying(shares, told(shares), ()), tokens)
        if entered.granted:
            debts = [state.debts for state in entered.states]
            leaving = LeaveMeters(meters, call, self._longest)
            return _SharedSeat(applying.told, debts, self._store, leaving)
        return Standing(limited, entered.states)


class _SharedSeat(Seat, frozen=True):
    """What was taken from a store.

    Attributes:
        store: Where it is.
        leaving: Gives the places back.
    """

    store: Store
    leaving: LeaveMeters

    def leave(self, extra: int) -> None:
        """Have the store told, without waiting for it."""
        meters = tuple(_corrected(one, extra) for one in self.leaving.meters)
        self.store.tell(result_of(dataclasses.replace(self.leaving, meters=meters)))


def _meter(subject: Subject, settings: LimitSettings, tokens: int) -> Meter:
    requests = _bucket(settings.requests_per_minute, 1)
    return Meter(
        name_of(subject),
        settings.concurrency or 0,
        (requests, _bucket(settings.tokens_per_minute, tokens)),
    )


def _bucket(per_minute: int | None, amount: int) -> Bucket:
    if per_minute is None:
        return UNMETERED
    return Bucket(Rate(MINUTE / per_minute, MINUTE), amount)


def _corrected(meter: Meter, extra: int) -> Meter:
    requests, tokens = meter.buckets
    interval, depth = tokens.rate
    amount = min(extra, depth / interval) if interval else 0
    buckets = (requests._replace(amount=0), tokens._replace(amount=amount))
    return meter._replace(buckets=buckets)


def name_of(subject: Subject) -> str:
    """Return a name for a store: no two subjects have the same, and none says who callers are."""
    who = f"{len(subject.tenant)}:{subject.tenant}:{subject.name}"
    if subject.scope.own:
        who = sha256(who.encode("utf-8", "replace")).hexdigest()
    return f"{subject.scope}:{who}"


@lru_cache(maxsize=1024)
def _part(settings: LimitSettings, share: float) -> LimitSettings:
    def part(limit: int | None) -> int | None:
        return limit and max(int(limit * share), 1)

    return LimitSettings(
        requests_per_minute=part(settings.requests_per_minute),
        tokens_per_minute=part(settings.tokens_per_minute),
        concurrency=part(settings.concurrency),
    )
