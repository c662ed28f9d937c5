"""A clock, and what processes share, for the tests of this floor."""

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import pytest

from stormproof.recovery.redis import RedisStore
from stormproof.testing import FakeClock
from support.redis_server import RedisServer


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
async def stores(redis: RedisServer, prefix: str) -> AsyncIterator[Sequence[RedisStore]]:
    """What each of two processes has: they share nothing but Redis."""
    stores = [RedisStore(redis.url, prefix=prefix, timeout=5.0) for _ in range(2)]
    yield stores
    for store in stores:
        await store.aclose()


@pytest.fixture
def mortal(redis: RedisServer) -> Iterator[RedisServer]:
    """A server of one's own, to be killed."""
    server = RedisServer()
    server.start()
    yield server
    server.close()
