"""Answers that processes share through Redis, while it is there."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from stormproof.errors import ValidationErrors
from stormproof.recovery import Event, subscribe
from stormproof.reflex.cache import CacheFailed, CacheStage, KnownAnswers
from stormproof.reflex.cache.redis import RedisAnswers
from stormproof.testing import FakeClock
from support.kept_answers import SECRET, House, asked
from support.redis_server import PROGRAM, RedisServer


@pytest.fixture
async def store(redis: RedisServer) -> AsyncIterator[RedisAnswers]:
    opened = RedisAnswers(redis.url, prefix=str(uuid4()))
    yield opened
    await opened.aclose()


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of this test's own."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server on the PATH")
    server = RedisServer()
    server.start()
    yield server
    server.close()


async def test_what_one_keeps_all_find(redis: RedisServer) -> None:
    """With the same secret: another's answers are none."""
    prefix = str(uuid4())
    for secret, calls in ((SECRET, 1), (SECRET, 0), (SECRET + b"!", 1)):
        store = RedisAnswers(redis.url, prefix=prefix)
        house = House([CacheStage(KnownAnswers(store, secret=secret), guard="g")])
        assert await house.ask() == "Hello"
        assert house.calls == calls
        await store.aclose()


def test_connections_end_with_the_loop(redis: RedisServer) -> None:
    """Also where nobody closes the store: one that is left open is a warning."""

    async def keep() -> None:
        await RedisAnswers(redis.url, prefix=str(uuid4())).keep(b"a", b"1", 60)

    asyncio.run(keep())
    gc.collect()


async def test_redis_forgets_an_answer_when_its_time_is_over(redis: RedisServer) -> None:
    prefix = str(uuid4())
    store = RedisAnswers(redis.url, prefix=prefix)
    await store.keep(b"a", b"1", 1000)
    await store.keep(b"b", b"1", 0)
    assert await store.find(b"a") == b"1"
    assert await store.find(b"?") is None
    await store.aclose()
    with redis.client() as client:
        left = max(client.pttl(key) for key in client.scan_iter(f"{prefix}:*"))
        assert 990_000 < left <= 1_000_000


async def test_more_calls_than_connections_all_find_it(store: RedisAnswers) -> None:
    await store.keep(b"a", b"1", 60)
    assert await asyncio.gather(*(store.find(b"a") for _ in range(200))) == [b"1"] * 200


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
async def test_no_call_fails_while_redis_is_gone(
    mortal: RedisServer, ending: signal.Signals
) -> None:
    """Killed or hanging; one call finds out, and when it is back it is used again."""
    heard: list[Event] = []
    store = RedisAnswers(mortal.url, timeout=0.05)
    house = House([CacheStage(KnownAnswers(store, secret=SECRET), guard="g")])
    end = subscribe(heard.append)
    try:
        with FakeClock(jumps=False) as clock:
            assert await house.ask(asked("kept")) == "Hello"
            mortal.signal(ending)
            for number in range(20):
                assert await house.ask(asked(str(number))) == "Hello"
            assert len([event for event in heard if isinstance(event, CacheFailed)]) == 1
            if ending is signal.SIGKILL:
                mortal.start()
            else:
                mortal.signal(signal.SIGCONT)
            clock.advance(2)
            calls = house.calls
            for _ in range(2):
                await house.ask(asked("again"))
            assert house.calls == calls + 1
    finally:
        end()
        await store.aclose()


async def test_who_leaves_while_redis_answers_leaves_no_answer_behind(store: RedisAnswers) -> None:
    """The connection's next reader does not get it."""
    for key in (b"a", b"b"):
        await store.keep(key, key, 60)
    for _ in range(50):
        left = asyncio.create_task(store.find(b"a"))
        for _ in range(3):
            await asyncio.sleep(0)
        left.cancel()
        assert await store.find(b"b") == b"b"
        await asyncio.gather(left, return_exceptions=True)


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost:port", ""])
def test_a_url_that_is_none_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ValidationErrors) as caught:
        RedisAnswers(url)
    assert "localhost" not in str(caught.value)
