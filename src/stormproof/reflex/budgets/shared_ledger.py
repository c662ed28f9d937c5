"""Who has spent how much, where several processes share it."""

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final
from uuid import uuid4

from stormproof.errors import ServiceUnavailable
from stormproof.recovery import Store
from stormproof.recovery.sharing.joint_operations import (
    Account,
    AccountState,
    Settle,
    Spend,
    Spent,
)
from stormproof.recovery.sharing.store import Steps, result_of
from stormproof.reflex.budgets.ledger import (
    Balance,
    Balances,
    Claim,
    Payment,
    Refused,
    Verdict,
    insufficient,
    last_to_begin,
)
from stormproof.reflex.budgets.windows import Windows
from stormproof.reflex.limits.applying import Limited
from stormproof.reflex.limits.shared_gauges import name_of

_KEPT_FOR: Final = 3600.0
"""Seconds for which an account outlives its window: calls that began in it end later."""

_SOON: Final = 1.0
"""Seconds after which to try again while the store is out of reach."""


class SharedLedger:
    """Who has spent how much, in a store; belongs to one event loop.

    What a call may cost is spent when it begins and corrected when it ends, so that of a process
    that was killed meanwhile it stays spent. Whatever the store may not have heard counts as spent
    as well, and is told when it is there again.

    While the store is out of reach nothing may be spent, unless a share is given. A store that has
    lost its memory learns it from every process that calls: until the last of them has, there may
    be spent again what that one alone knew of.

    Args:
        store: Where it is.
        balances: What this process knows of everybody.
        share: The part of what is left of each budget that this process may spend while the store
            is out of reach, 0 to 1; with 0 it may not spend anything.
        now: Returns seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        balances: Balances,
        *,
        share: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store: Final = store
        self._balances: Final = balances
        self._share: Final = share
        self._now: Final = now
        self._process: Final = uuid4().hex
        self._serial: Final = count()

    async def spend(self, limited: Sequence[Limited], windows: Windows, amount: int) -> Verdict:
        """Spend an amount from every budget, or from none.

        Raises:
            ServiceUnavailable: The store is out of reach.
        """
        claims = self._balances.claims(limited, windows)
        await self._balances.look_up(claims)
        heard = await self._ask(claims, amount)
        if heard is None:
            return self._spend_alone(claims, amount)
        for claim, state in zip(claims, heard.states, strict=True):
            _hear(claim.balance, state)
        if heard.granted:
            return _SharedPayment(claims, amount, self._store)
        return Refused(insufficient(claims, amount))

    async def _ask(self, claims: Sequence[Claim], amount: int) -> Spent | None:
        """Ask the store; what it may not have heard stays owed."""
        now, begin = self._now(), f"{self._process}-{next(self._serial)}"
        told = tuple(_told(claim, now) for claim in claims)
        for claim in claims:
            claim.balance.owed = 0
        heard: Spent | None = None
        try:
            heard = await self._store.aask(Spend(told, amount, begin))
        finally:
            if heard is None:
                for claim, one in zip(claims, told, strict=True):
                    claim.balance.owed += one.owed
        return heard

    def _spend_alone(self, claims: Sequence[Claim], amount: int) -> Verdict:
        if not self._share:
            reason = "what was spent cannot be looked up, and nothing is spent unseen"
            raise ServiceUnavailable(reason=reason, retry_after=_SOON)
        over = [claim for claim in claims if claim.balance.owed + amount > self._part(claim)]
        if over:
            return Refused(last_to_begin(over))
        for claim in claims:
            claim.balance.owed += amount
        return _OwedPayment(claims, amount)

    def _part(self, claim: Claim) -> float:
        """Return how much of a budget may be spent while the store is out of reach."""
        return (claim.limit - claim.balance.spent) * self._share


class _SharedPayment(Payment, frozen=True):
    """What was spent in a store.

    Attributes:
        store: Where it is.
    """

    store: Store

    def settle(self, cost: int) -> None:
        """Have the store told, without waiting for it."""
        if cost != self.amount:
            self.store.tell(self._steps(cost - self.amount))

    def _steps(self, more: int) -> Steps[None]:
        names = tuple(_name(claim) for claim in self.claims)
        heard = yield from result_of(Settle(names, more))
        if heard is None and more > 0:
            for claim in self.claims:
                claim.balance.owed += more


class _OwedPayment(Payment, frozen=True):
    """What was spent while the store was out of reach."""

    def settle(self, cost: int) -> None:
        """Take note of what the call has cost; the store is told with the next one."""
        for claim in self.claims:
            claim.balance.owed += cost - self.amount


def _name(claim: Claim) -> str:
    return f"{claim.window.label}:{name_of(claim.subject)}"


def _hear(balance: Balance, state: AccountState) -> None:
    """Take note of what the store says, unless it has said something else since."""
    if state.begun != balance.begun or state.turn > balance.turn:
        balance.begun, balance.turn, balance.spent = state


def _told(claim: Claim, now: float) -> Account:
    balance = claim.balance
    return Account(
        _name(claim),
        claim.limit,
        keep=max(claim.window.ends - now, 0.0) + _KEPT_FOR,
        begun=balance.begun,
        turn=balance.turn,
        known=balance.spent,
        owed=balance.owed,
    )
