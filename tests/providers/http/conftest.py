"""A server whose bytes are the test's own, and the client that calls it."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from stormproof.providers.http.client import HttpClient
from support.raw_server import RawServer


@pytest.fixture
async def raw_server() -> AsyncIterator[RawServer]:
    """A server that is stopped in the end."""
    running = RawServer()
    yield running
    running.stop()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client that is closed in the end."""
    made = HttpClient()
    yield made
    made.close()


@pytest.fixture(scope="session")
def _ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(_ca: trustme.CA) -> ssl.SSLContext:
    """What a server on this machine proves itself with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def authority(_ca: trustme.CA) -> ssl.SSLContext:
    """Trust in who signed that."""
    context = ssl.create_default_context()
    _ca.configure_trust(context)
    return context
