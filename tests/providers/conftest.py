"""What tests of this floor share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from stormproof.providers.http.client import HttpClient
from stormproof.testing import FakeClock
from support.raw_server import RawServer


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock that the test moves; sleepers wake as it reaches them."""
    with FakeClock() as clock:
        yield clock


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A server whose bytes are the test's own; it is stopped in the end."""
    running = RawServer()
    yield running
    running.stop()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client that is closed in the end."""
    made = HttpClient()
    yield made
    made.close()
