"""Ledgers under random histories, next to sums of whole numbers."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from msgspec import Struct

from stormproof.errors import ServiceUnavailable
from stormproof.recovery.redis import RedisStore
from stormproof.reflex import Balances, LimitSettings, LocalLedger, Scope, SharedLedger, Subject
from stormproof.reflex.budgets.ledger import Ledger, Payment, Refused, Verdict
from stormproof.reflex.budgets.windows import Calendar, Windows
from stormproof.reflex.limits.applying import Limited
from stormproof.testing import FakeClock
from support.redis_server import PROGRAM, RedisServer

SUBJECTS = [Subject(Scope.USER, "t", name) for name in "abc"]
LIMITS = {
    SUBJECTS[0]: LimitSettings(money_per_day=20e-9),
    SUBJECTS[1]: LimitSettings(money_per_day=30e-9, money_per_month=50e-9),
    SUBJECTS[2]: LimitSettings(money_per_month=60e-9),
}
SERVER: list[RedisServer] = []

Key = tuple[Subject, str]
Begun = tuple[int, Payment, frozenset[Key], int]
"""A call: which process made it, what it spent from which accounts, and how much."""


@pytest.fixture(scope="module", autouse=True)
def server(redis: RedisServer) -> None:
    """For the machines, which take no fixtures."""
    SERVER[:] = [redis]


class LedgerMachine(RuleBasedStateMachine):
    """Calls begin, end at any cost or not at all, and days pass: never more is let in than fits."""

    begun: Bundle[Begun] = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.now = 1_795_300_000.0
        self.calendar = Calendar(lambda: self.now)
        self.spent: Counter[Key] = Counter()
        self.clock = FakeClock()
        self.clock.__enter__()
        self.ledgers: Sequence[Ledger] = self.made()

    def made(self) -> Sequence[Ledger]:
        return [LocalLedger(Balances())]

    def teardown(self) -> None:
        self.loop.close()
        self.clock.__exit__(None, None, None)

    def limits(self, subjects: Sequence[Subject]) -> dict[Key, int]:
        day, month = self.calendar.windows()
        return {
            (subject, window.label): round(limit * 1e9)
            for subject in subjects
            for window, limit in (
                (day, LIMITS[subject].money_per_day),
                (month, LIMITS[subject].money_per_month),
            )
            if limit is not None
        }

    def ask(self, process: int, subjects: Sequence[Subject], amount: int) -> Verdict:
        limited = [(subject, LIMITS[subject]) for subject in subjects]
        ledger, windows = self.ledgers[process % len(self.ledgers)], self.calendar.windows()
        return self.loop.run(verdict_of(ledger, limited, windows, amount))

    @rule(
        target=begun,
        process=st.integers(0, 1),
        subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True),
        amount=st.integers(0, 25),
    )
    def begin(self, process: int, subjects: Sequence[Subject], amount: int) -> Any:
        limits = self.limits(subjects)
        fits = all(self.spent[key] + amount <= limit for key, limit in limits.items())
        outcome = self.ask(process, subjects, amount)
        if isinstance(outcome, Refused):
            assert not fits
            claim = outcome.claim
            key = claim.subject, claim.window.label
            assert self.spent[key] + amount > limits[key]
            return (process, None, frozenset(), 0)
        assert fits
        self.spent.update(dict.fromkeys(limits, amount))
        return (process, outcome, frozenset(limits), amount)

    @rule(call=consumes(begun), cost=st.integers(0, 40))
    def end(self, call: Begun, cost: int) -> None:
        _, payment, keys, amount = call
        if keys:
            self.loop.run(self.settle(payment, cost))
            self.spent.update(dict.fromkeys(keys, cost - amount))

    async def settle(self, payment: Payment, cost: int) -> None:
        payment.settle(cost)

    @rule(hours=st.sampled_from([1, 24, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += hours * 3600

    @invariant()
    def nothing_is_below_zero(self) -> None:
        assert all(spent >= 0 for spent in self.spent.values())


class SharedLedgerMachine(LedgerMachine):
    """Two processes do the same, and lose sight of Redis now and then.

    What they could not tell meanwhile is spent if it is more, and stays spent if it is less.
    """

    def made(self) -> Sequence[Ledger]:
        prefix = uuid4().hex
        self.stores = [RedisStore(SERVER[0].url, prefix=prefix, timeout=5.0) for _ in range(2)]
        return [SharedLedger(store, Balances(), now=lambda: self.now) for store in self.stores]

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run(store.aclose())
        super().teardown()

    async def settle(self, payment: Payment, cost: int) -> None:
        payment.settle(cost)
        for store in self.stores:
            await store.aclose()

    @rule(
        process=st.integers(0, 1),
        subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True),
        amount=st.integers(0, 25),
    )
    def begin_out_of_reach(self, process: int, subjects: Sequence[Subject], amount: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.stores[process], "aexecute", gone)
            with pytest.raises(ServiceUnavailable):
                self.ask(process, subjects, amount)
        self.clock.advance(1)

    @rule(call=consumes(LedgerMachine.begun), cost=st.integers(0, 40))
    def end_out_of_reach(self, call: Begun, cost: int) -> None:
        process, payment, keys, amount = call
        if not keys:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.stores[process], "aexecute", gone)
            self.loop.run(self.settle(payment, cost))
        self.clock.advance(1)
        more = max(cost - amount, 0)
        limits = self.limits(SUBJECTS)
        now = frozenset(limits) & keys
        for key in now:  # and tell it, by a call that costs nothing and asks for nothing
            self.ask(process, [key[0]], 0)
        self.spent.update(dict.fromkeys(keys, more))


async def verdict_of(
    ledger: Ledger, limited: Sequence[Limited], windows: Windows, amount: int
) -> Verdict:
    verdict = ledger.spend(limited, windows, amount)
    return verdict if isinstance(verdict, Struct) else await verdict


async def gone(operation: object) -> object:
    raise ConnectionError("gone")


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
SharedLedgerMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None
)
TestLedger = LedgerMachine.TestCase
TestSharedLedger = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")(
    SharedLedgerMachine.TestCase
)
