"""Who has spent how much, and spending from several budgets together."""

from abc import abstractmethod
from asyncio import Future, ensure_future, shield
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from stormproof.recovery.keys.key_table import KeyTable
from stormproof.reflex.budgets.money import nanos
from stormproof.reflex.budgets.spending import Spending
from stormproof.reflex.budgets.windows import Window, Windows
from stormproof.reflex.limits.applying import Limited
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import Subject

_MOST: Final = 100_000


class Balance:
    """What somebody has spent in one window.

    Attributes:
        spent: In billionths, as far as this process knows.
        looked_up: Whether that has what books say.
        looking: Looks it up.
        begun: By which name a store has it; empty as long as the store has not told.
        turn: When the store told what was spent; what it said later has a higher one.
        owed: What was spent in addition, and the store has not heard of.
    """

    __slots__ = ("begun", "looked_up", "looking", "owed", "spent", "turn")

    def __init__(self, *, looked_up: bool) -> None:
        self.spent = 0
        self.looked_up = looked_up
        self.looking: Future[None] | None = None
        self.begun = ""
        self.turn = 0
        self.owed = 0


class Claim(Struct, frozen=True):
    """A budget that a call has to keep.

    Attributes:
        subject: Whose.
        window: For when.
        limit: What may be spent, in billionths.
        balance: What was spent.
    """

    subject: Subject
    window: Window
    limit: int
    balance: Balance


class Refused(Struct, frozen=True):
    """Why nothing was spent.

    Attributes:
        claim: The budget that does not suffice; of several the one that begins anew last.
    """

    claim: Claim


class Payment(Struct, frozen=True):
    """What was spent for a call, as far as that is known before it is made.

    Attributes:
        claims: From which budgets.
        amount: From each, in billionths.
    """

    claims: Sequence[Claim]
    amount: int

    @abstractmethod
    def settle(self, cost: int) -> None:
        """Take note of what the call has cost; called once.

        Args:
            cost: In billionths.
        """


Verdict: TypeAlias = Payment | Refused
"""Whether a call is paid."""


class Ledger(Protocol):
    """Who has spent how much."""

    def spend(
        self, limited: Sequence[Limited], windows: Windows, amount: int
    ) -> Verdict | Awaitable[Verdict]:
        """Spend an amount from every budget that a call has to keep, or from none.

        Args:
            limited: Who pays, and what each may spend.
            windows: When.
            amount: In billionths.

        Returns:
            What was spent, or what that is waited for.

        Raises:
            Exception: It cannot be found out what was spent.
        """
        ...


class Balances:
    """What is known of everybody; belongs to one event loop.

    Args:
        books: Say what was spent before; without them nothing was.
        most: How many keys, users, addresses and models are remembered. Of more the one that was
            not used lately is forgotten, and looked up in the books again.
    """

    def __init__(self, books: Spending | None = None, most: int = _MOST) -> None:
        self._books: Final = books
        self._table: Final = KeyTable[Subject, _Purse](lambda _: _Purse(), most)

    def claims(self, limited: Sequence[Limited], windows: Windows) -> Sequence[Claim]:
        """Return the budgets that a call has to keep."""
        found: list[Claim] = []
        for subject, settings in limited:
            purse = self._table.entry(subject).value
            if purse.settings is not settings or purse.windows is not windows:
                purse.renew(subject, settings, windows, looked_up=self._books is None)
            found += purse.claims
        return found

    async def look_up(self, claims: Sequence[Claim]) -> None:
        """Look up what the books say of those of which that is not known yet.

        Raises:
            Exception: They cannot be read.
        """
        if self._books:
            for claim in claims:
                if not claim.balance.looked_up:
                    await self._look(claim, self._books)

    async def _look(self, claim: Claim, books: Spending) -> None:
        """Look up what was spent; calls that come meanwhile wait for the same."""
        balance = claim.balance
        if balance.looking is None or balance.looking.done():
            balance.looking = ensure_future(_look_up(claim, books))
            balance.looking.add_done_callback(_hear)
        await shield(balance.looking)


class _Purse:
    """The budgets of one subject.

    Attributes:
        settings: What they are.
        windows: When they were put together.
        claims: The budgets.
        before: Those of other windows, in which it may be once more: a clock can be set back.
    """

    __slots__ = ("before", "claims", "settings", "windows")

    def __init__(self) -> None:
        self.settings: LimitSettings | None = None
        self.windows: Windows | None = None
        self.claims: Sequence[Claim] = ()
        self.before: Sequence[Claim] = ()

    def renew(
        self, subject: Subject, settings: LimitSettings, windows: Windows, *, looked_up: bool
    ) -> None:
        """Put the budgets together again; what was spent in the same windows remains."""
        known = {claim.window: claim.balance for claim in (*self.before, *self.claims)}
        if windows != self.windows:
            self.before = self.claims
        limits = (settings.money_per_day, settings.money_per_month)
        self.settings, self.windows = settings, windows
        self.claims = [
            Claim(subject, window, nanos(limit), known.get(window) or Balance(looked_up=looked_up))
            for window, limit in zip(windows, limits, strict=True)
            if limit is not None
        ]


async def _look_up(claim: Claim, books: Spending) -> None:
    claim.balance.spent = await books.spent(claim.subject, claim.window.start)
    claim.balance.looked_up = True


def _hear(looking: Future[None]) -> None:
    """Take note of how it ended, should all who wait for it have been cancelled."""
    if not looking.cancelled():
        looking.exception()


class LocalLedger:
    """Who has spent how much in this process; belongs to one event loop.

    Args:
        balances: What is known of everybody.
    """

    def __init__(self, balances: Balances) -> None:
        self._balances: Final = balances

    def spend(
        self, limited: Sequence[Limited], windows: Windows, amount: int
    ) -> Verdict | Awaitable[Verdict]:
        """Spend an amount from every budget, or from none; waits only for the books."""
        claims = self._balances.claims(limited, windows)
        for claim in claims:
            if not claim.balance.looked_up:
                return self._spend_known(claims, amount)
        return _spend(claims, amount)

    async def _spend_known(self, claims: Sequence[Claim], amount: int) -> Verdict:
        await self._balances.look_up(claims)
        return _spend(claims, amount)


def _spend(claims: Sequence[Claim], amount: int) -> Verdict:
    for claim in claims:
        if claim.balance.spent + amount > claim.limit:
            return Refused(insufficient(claims, amount))
    for claim in claims:
        claim.balance.spent += amount
    return _LocalPayment(claims, amount)


class _LocalPayment(Payment, frozen=True):
    """What was spent in this process."""

    def settle(self, cost: int) -> None:
        """Take note of what the call has cost."""
        more = cost - self.amount
        for claim in self.claims:
            claim.balance.spent += more


def insufficient(claims: Sequence[Claim], amount: int) -> Claim:
    """Return which budget has not so much left; of several the one that begins anew last."""
    over = [claim for claim in claims if claim.balance.spent + amount > claim.limit]
    return last_to_begin(over or claims)


def last_to_begin(claims: Sequence[Claim]) -> Claim:
    """Return the budget that begins anew last."""
    return max(claims, key=lambda claim: claim.window.ends)
