"""Certificates that the tests of TLS trust, or not."""

import ssl

import pytest
import trustme


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
