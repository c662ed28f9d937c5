"""Limits that several processes share: a real Redis, which dies and comes back."""

import asyncio
from collections.abc import Sequence
from signal import SIGKILL

import pytest

from stormproof.errors import RateLimitExceeded
from stormproof.recovery.redis import RedisStore
from stormproof.reflex import (
    Caller,
    Companion,
    Limits,
    LimitSettings,
    LimitsStage,
    Passed,
    Rejected,
    Scope,
    SharedGauges,
)
from stormproof.testing import FakeClock
from support.redis_server import RedisServer
from support.reflex_calls import CALLER, answered, call, entered


class TimedStore(RedisStore):
    """Scripts take the time from the clock of the test and not from the server."""

    clock: FakeClock
    set_back = 0.0

    def _time(self) -> float:
        return 1_000_000 + self.clock.now() - self.set_back


def stage(store: RedisStore, **scopes: LimitSettings) -> LimitsStage:
    limits = Limits({Scope(name): one for name, one in scopes.items()})
    return LimitsStage(limits, SharedGauges(store, longest=60.0, share=0.5))


async def passes(stage: LimitsStage, caller: Caller = CALLER, tokens: int = 10) -> Companion | None:
    outcome = await entered(stage, call(caller, tokens=tokens))
    if isinstance(outcome, Rejected):
        assert isinstance(outcome.error, RateLimitExceeded)
        return None
    assert isinstance(outcome, Passed)
    return outcome.companion


async def test_of_a_thousand_calls_at_once_as_many_pass_as_may(
    stores: Sequence[RedisStore],
) -> None:
    """Exactly, over two processes."""
    limits = {"key": LimitSettings(concurrency=100), "all": LimitSettings(concurrency=200)}
    stages = [stage(store, **limits) for store in stores]
    passed = await asyncio.gather(*(passes(stages[n % 2]) for n in range(1000)))
    assert sum(one is not None for one in passed) == 100


async def test_what_one_limit_refuses_the_others_have_left(stores: Sequence[RedisStore]) -> None:
    """In one script."""
    limits = {
        "key": LimitSettings(requests_per_minute=3, concurrency=3),
        "user": LimitSettings(tokens_per_minute=10),
    }
    ours, theirs = (stage(store, **limits) for store in stores)
    assert await passes(ours)
    for _ in range(5):
        assert not await passes(theirs)
    assert await passes(theirs, Caller("acme", "key", "bob"))
    assert await passes(ours, Caller("acme", "key", "eve"))
    assert not await passes(ours, Caller("acme", "key", "dan"))


async def test_tokens_and_places_come_back_when_a_call_ends(stores: Sequence[RedisStore]) -> None:
    """Also to the other process."""
    limits = LimitSettings(tokens_per_minute=100, concurrency=1)
    ours, theirs = (stage(store, key=limits) for store in stores)
    companion = await passes(ours, tokens=80)
    assert companion
    assert companion.headers()[b"x-ratelimit-remaining-tokens"] == b"20"
    assert not await passes(theirs, tokens=10)
    companion.settle(answered(20))
    await stores[0].aclose()
    assert await passes(theirs, tokens=80)


async def test_a_killed_process_holds_its_places_for_a_while_and_no_longer(
    redis: RedisServer, prefix: str, clock: FakeClock
) -> None:
    """As long as a call may take."""
    store = TimedStore(redis.url, prefix=prefix, timeout=5.0)
    store.clock = clock
    limited = stage(store, key=LimitSettings(concurrency=1))
    assert await passes(limited)
    clock.advance(59)
    assert not await passes(limited)
    clock.advance(1)
    assert await passes(limited)
    await store.aclose()


async def test_a_server_whose_clock_is_set_back_keeps_nobody_waiting(
    redis: RedisServer, prefix: str, clock: FakeClock
) -> None:
    """A minute stays a minute, and gives nobody more."""
    store = TimedStore(redis.url, prefix=prefix, timeout=5.0)
    store.clock = clock
    limited = stage(store, key=LimitSettings(requests_per_minute=2))
    for _ in range(2):
        assert await passes(limited)
    store.set_back = 3600.0
    assert not await passes(limited)
    clock.advance(31)
    assert await passes(limited)
    assert not await passes(limited)
    await store.aclose()


async def test_a_caller_who_goes_before_he_is_let_in_takes_nothing(
    stores: Sequence[RedisStore],
) -> None:
    """What was taken for him is given back."""
    limits = LimitSettings(requests_per_minute=1, concurrency=1)
    limited = stage(stores[0], key=limits)
    call = asyncio.ensure_future(passes(limited))
    for _ in range(3):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await stores[0].aclose()
    await stores[0].aclose()
    assert await passes(limited)


async def test_without_redis_each_process_lets_in_its_share(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """Nobody waits or fails for it; when it is back, all share again."""
    stores = [RedisStore(mortal.url, timeout=5.0) for _ in range(2)]
    limits = LimitSettings(concurrency=4)
    stages = [stage(store, key=limits) for store in stores]
    mortal.signal(SIGKILL)
    for one in stages:
        assert [bool(await passes(one)) for _ in range(3)] == [True, True, False]
    mortal.start()
    clock.advance(1)
    assert [bool(await passes(one)) for one in stages * 3] == [True] * 4 + [False] * 2
    for store in stores:
        await store.aclose()


async def test_without_redis_callers_are_told_of_the_share(
    mortal: RedisServer, clock: FakeClock
) -> None:
    """It is what they have left."""
    store = RedisStore(mortal.url, timeout=5.0)
    mortal.signal(SIGKILL)
    companion = await passes(stage(store, key=LimitSettings(requests_per_minute=8)))
    assert companion
    headers = companion.headers()
    assert headers[b"x-ratelimit-limit-requests"] == b"4"
    assert headers[b"x-ratelimit-remaining-requests"] == b"3"
    await store.aclose()


async def test_garbage_in_a_key_is_nothing_and_every_key_expires(
    stores: Sequence[RedisStore], redis: RedisServer, prefix: str
) -> None:
    """Whoever wrote it."""
    limited = stage(stores[0], key=LimitSettings(requests_per_minute=2, concurrency=2))
    assert await passes(limited)
    with redis.client() as client:
        [key] = client.scan_iter(f"{prefix}:*")
        assert 0 < client.ttl(key) <= 120
        client.set(key, "no state")
    assert [bool(await passes(limited)) for _ in range(3)] == [True, True, False]
