"""A server whose bytes are the test's own, and the client that calls it."""

from collections.abc import AsyncIterator

import pytest

from stormproof.providers.http.client import HttpClient
from support.raw_server import RawServer


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client that is closed in the end."""
    made = HttpClient()
    yield made
    made.close()


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A server that is stopped in the end."""
    running = RawServer()
    yield running
    running.stop()
