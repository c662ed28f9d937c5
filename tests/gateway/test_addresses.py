"""From where a request comes."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.gateway.addresses import Addresses

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": peer and (peer, 1234), "headers": headers}


def test_without_trusted_proxies_it_is_who_connected() -> None:
    """Whatever he says."""
    assert Addresses().of(scope("10.0.0.1", "1.1.1.1")) == "10.0.0.1"
    assert Addresses().of(scope("::ffff:10.0.0.1")) == "10.0.0.1"


def test_over_no_network_there_is_no_address() -> None:
    assert Addresses(PROXIES).of(scope(None, "1.1.1.1")) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("2.2.2.2", ["1.1.1.1"], "2.2.2.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1 , 10.0.0.2"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["1.1.1.1", "unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, 10.0.0.3:80, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("fd00::1", ["2001:db8::0001"], "2001:db8::1"),
    ],
)
def test_trusted_proxies_tell_who_came_to_them(
    peer: str, forwarded: Sequence[str], address: str
) -> None:
    """Up to the first that is not trusted, or makes no sense."""
    assert Addresses(PROXIES).of(scope(peer, *forwarded)) == address


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=20), max_size=4))
def test_nothing_that_a_client_says_comes_before_what_a_proxy_has_seen(said: list[str]) -> None:
    """A client may send such headers of his own."""
    assert Addresses(PROXIES).of(scope("10.0.0.1", *said, "1.1.1.1")) == "1.1.1.1"
