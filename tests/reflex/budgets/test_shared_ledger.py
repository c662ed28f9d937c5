"""Budgets that several processes share: a real Redis, which dies and comes back."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Final

import pytest

import stormproof
import support
from stormproof.errors import ServiceUnavailable
from stormproof.recovery.redis import RedisStore
from stormproof.reflex import Balances, Limits, LimitSettings, Scope, SharedLedger, Subject
from stormproof.reflex.budgets.ledger import Payment, Refused
from stormproof.reflex.budgets.windows import Calendar
from stormproof.testing import FakeClock
from support.redis_server import RedisServer
from support.reflex_calls import call
from support.spending import DONE

WINDOWS: Final = Calendar().windows()
LIMITED: Final = Limits({Scope.KEY: LimitSettings(money_per_month=1e-7)}).of(call()).budgeted
"""100 billionths, for one key."""


class Books:
    """What was spent before, by anybody."""

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    async def spent(self, subject: Subject, since: object) -> int:
        return self.nanos


async def paid(ledger: SharedLedger, amount: int) -> Payment:
    payment = await ledger.spend(LIMITED, WINDOWS, amount)
    assert not isinstance(payment, Refused)
    return payment


async def left(ledger: SharedLedger) -> int:
    """Spend what is left, to see how much that is."""
    spent = 0
    while not isinstance(await ledger.spend(LIMITED, WINDOWS, 1), Refused):
        spent += 1
    return spent


async def told(*stores: RedisStore) -> None:
    """Wait until they have heard of everything."""
    for store in stores:
        await store.aclose()


async def test_of_a_thousand_calls_at_once_as_many_pass_as_are_paid_for(
    stores: Sequence[RedisStore],
) -> None:
    """Exactly, over two ledgers."""
    ledgers = [SharedLedger(store, Balances()) for store in stores]
    calls = [ledgers[n % 2].spend(LIMITED, WINDOWS, 1) for n in range(1000)]
    outcomes = await asyncio.gather(*calls)
    assert sum(not isinstance(outcome, Refused) for outcome in outcomes) == 100


async def test_all_budgets_of_a_call_are_spent_or_none(stores: Sequence[RedisStore]) -> None:
    """In one script."""
    month = LimitSettings(money_per_day=1e-8, money_per_month=1e-7)
    limits = Limits({Scope.KEY: month, Scope.ALL: LimitSettings(money_per_day=1.5e-8)})
    limited = limits.of(call()).budgeted
    ours, theirs = (SharedLedger(store, Balances()) for store in stores)
    assert not isinstance(await ours.spend(limited, WINDOWS, 10), Refused)
    refused = await theirs.spend(limited, WINDOWS, 1)
    assert isinstance(refused, Refused)
    assert refused.claim.window is WINDOWS.day
    everybody = [one for one in limited if one[0].scope is Scope.ALL]
    assert not isinstance(await theirs.spend(everybody, WINDOWS, 5), Refused)
    assert isinstance(await theirs.spend(everybody, WINDOWS, 1), Refused)


async def test_what_one_did_not_need_the_other_can_spend(stores: Sequence[RedisStore]) -> None:
    """And what it took beyond, the other cannot."""
    ours, theirs = (SharedLedger(store, Balances()) for store in stores)
    cheap, dear = await paid(ours, 50), await paid(ours, 40)
    cheap.settle(20)
    dear.settle(60)
    await told(stores[0])
    assert await left(theirs) == 20


async def test_a_caller_who_goes_before_he_is_let_in_has_spent_nothing(
    stores: Sequence[RedisStore],
) -> None:
    """What was spent for him is given back."""
    ledger = SharedLedger(stores[0], Balances())
    await paid(ledger, 1)
    call = asyncio.ensure_future(ledger.spend(LIMITED, WINDOWS, 99))
    for _ in range(3):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await told(stores[0])
    await told(stores[0])
    assert await left(SharedLedger(stores[1], Balances())) == 99


def processes(redis: RedisServer, prefix: str, calls: int) -> list["subprocess.Popen[str]"]:
    roots = (Path(module.__file__ or "").parents[1] for module in (stormproof, support))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    arguments = [sys.executable, "-m", "support.spending", redis.url, prefix, str(calls)]
    return [
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]


def lines(process: "subprocess.Popen[str]") -> list[str]:
    with process:
        assert process.stdout
        return process.stdout.read().splitlines()


def test_two_processes_spend_no_more_than_there_is(redis: RedisServer, prefix: str) -> None:
    """A thousand calls at once, 100 pass."""
    said = [line for process in processes(redis, prefix, 500) for line in lines(process)]
    assert (said.count("passed"), said.count(DONE)) == (100, 2)


async def test_what_a_killed_process_had_begun_stays_spent(
    redis: RedisServer, prefix: str, stores: Sequence[RedisStore]
) -> None:
    """Nobody knows what its calls have cost; so no more than 100 were ever made."""
    victim, survivor = processes(redis, prefix, 500)
    assert victim.stdout
    first = victim.stdout.readline()
    victim.kill()
    said = [first.strip(), *lines(victim), *lines(survivor)]
    assert 0 < said.count("passed") <= 100
    assert said.count(DONE) >= 1
    assert await left(SharedLedger(stores[0], Balances())) == 0


async def test_while_redis_is_gone_nothing_is_spent_and_afterwards_nothing_twice(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """Though it has forgotten everything: of a thousand calls 100 pass, and not one more."""
    store = RedisStore(mortal.url, timeout=5.0)
    ledger = SharedLedger(store, Balances())
    for _ in range(60):
        await paid(ledger, 1)
    mortal.signal(SIGKILL)
    for _ in range(300):
        with pytest.raises(ServiceUnavailable, match="nothing is spent unseen") as caught:
            await ledger.spend(LIMITED, WINDOWS, 1)
        assert caught.value.retry_after == 1
    mortal.start()
    clock.advance(1)
    await paid(ledger, 1)
    outcomes = await asyncio.gather(*(ledger.spend(LIMITED, WINDOWS, 1) for _ in range(639)))
    assert sum(not isinstance(outcome, Refused) for outcome in outcomes) == 39
    await store.aclose()


async def test_killed_under_a_thousand_calls_it_lets_no_more_pass_than_are_paid_for(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """Those that nobody answered are not made, though they may have been counted."""
    store = RedisStore(mortal.url, timeout=5.0)
    ledger = SharedLedger(store, Balances())
    passed = 0

    async def ask() -> None:
        nonlocal passed
        try:
            outcome = await ledger.spend(LIMITED, WINDOWS, 1)
        except ServiceUnavailable:
            return
        passed += not isinstance(outcome, Refused)
        if passed == 50:
            mortal.signal(SIGKILL)

    await asyncio.gather(*(ask() for _ in range(500)))
    assert not store.reachable
    mortal.start()
    clock.advance(1)
    await ask()
    await asyncio.gather(*(ask() for _ in range(500)))
    assert 50 < passed <= 100
    await store.aclose()


async def test_a_redis_that_forgot_learns_from_everybody_what_was_spent(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """Who heard last knows most; what was spent since it came back is not in that."""
    stores = [RedisStore(mortal.url, timeout=5.0) for _ in range(2)]
    ours, theirs = (SharedLedger(store, Balances()) for store in stores)
    await paid(ours, 20)
    await paid(theirs, 50)
    mortal.signal(SIGKILL)
    with pytest.raises(ServiceUnavailable):
        await paid(ours, 1)
    mortal.start()
    clock.advance(1)
    await paid(ours, 5)
    await paid(theirs, 5)
    assert await left(ours) == 20
    await told(*stores)


async def test_a_redis_that_went_back_in_time_learns_what_it_forgot(
    stores: Sequence[RedisStore], redis: RedisServer, prefix: str
) -> None:
    """As one does that writes to its disk once a second, when it is killed in between."""
    ours, theirs = (SharedLedger(store, Balances()) for store in stores)
    await paid(ours, 20)
    with redis.client() as client:
        [key] = client.scan_iter(f"{prefix}:*")
        client.copy(key, f"{prefix}:then")
        await paid(ours, 30)
        await paid(theirs, 20)
        client.copy(f"{prefix}:then", key, replace=True)
    await paid(ours, 5)
    await paid(theirs, 5)
    assert await left(ours) == 20


async def test_a_share_of_what_is_left_may_be_spent_alone_and_is_told_afterwards(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """Of the 60 that were left when Redis was lost, half."""
    stores = [RedisStore(mortal.url, timeout=5.0) for _ in range(2)]
    ours, theirs = (SharedLedger(store, Balances(), share=0.5) for store in stores)
    await paid(theirs, 40)
    await paid(ours, 0)
    mortal.signal(SIGKILL)
    payment = await paid(ours, 20)
    assert await left(ours) == 10
    payment.settle(15)
    assert await left(ours) == 5
    mortal.start()
    clock.advance(1)
    await paid(ours, 1)
    assert await left(theirs) == 100 - 40 - 30 - 1
    await told(*stores)


async def test_what_a_call_cost_while_redis_was_gone_is_told_if_it_is_more(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """If it is less, nobody knows whether Redis has heard: it stays spent."""
    store = RedisStore(mortal.url, timeout=5.0)
    ledger = SharedLedger(store, Balances())
    cheap, dear = await paid(ledger, 20), await paid(ledger, 20)
    mortal.signal(SIGKILL)
    cheap.settle(10)
    dear.settle(25)
    await told(store)
    mortal.start()
    clock.advance(1)
    assert await left(ledger) == 55
    await store.aclose()


async def test_a_process_that_begins_brings_its_books_and_counts_nothing_twice(
    stores: Sequence[RedisStore],
) -> None:
    """What they tell of may be counted already; what is missing is added."""
    ours = SharedLedger(stores[0], Balances(Books(30)))
    await paid(ours, 20)
    theirs = SharedLedger(stores[1], Balances(Books(50)))
    await paid(theirs, 10)
    others = SharedLedger(stores[1], Balances(Books(70)))
    assert await left(others) == 30


async def test_garbage_in_a_key_is_nothing(
    stores: Sequence[RedisStore], redis: RedisServer, prefix: str
) -> None:
    """Also to a call that ends."""
    ledger = SharedLedger(stores[0], Balances())
    payment = await paid(ledger, 10)
    with redis.client() as client:
        [key] = client.scan_iter(f"{prefix}:*")
        assert 0 < client.ttl(key) <= 32 * 86_400
        client.set(key, "no state", px=60_000)
        payment.settle(5)
        await told(stores[0])
        assert client.get(key) == "no state"
    assert await left(ledger) == 90
