"""Where a request comes from, also through proxies that are trusted to say so."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from starlette.types import Scope

Network: TypeAlias = IPv4Network | IPv6Network

_FORWARDED: Final = b"x-forwarded-for"
_MAPPED: Final = "::ffff:"
"""How a socket for both writes an IPv4 address."""

_REMEMBERED: Final = 4096


class Addresses:
    """Tells the addresses of clients.

    Each proxy puts behind ``x-forwarded-for`` who has come to it. Read from the end, the first
    address that is no trusted proxy's is the client's; whatever stands before it he may have made
    up himself.

    Args:
        proxies: Those that are trusted; by default nobody is, and the header means nothing.
    """

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies
        self._trusted = lru_cache(_REMEMBERED)(self._is_proxy)

    def of(self, scope: Scope) -> str | None:
        """Return from where a request comes; None if it came over no network."""
        if not (peer := scope.get("client")):
            return None
        address: str = peer[0].removeprefix(_MAPPED)
        if not self._proxies or not self._trusted(address):
            return address
        for hop in reversed(_hops(scope)):
            known = _parsed(hop)
            if known is None:  # nobody that a proxy has seen looks like that
                break
            address = str(known)
            if not self._trusted(address):
                break
        return address

    def _is_proxy(self, address: str) -> bool:
        known = _parsed(address)
        return known is not None and any(known in network for network in self._proxies)


def _hops(scope: Scope) -> list[str]:
    """Return what all headers of that name say, which are one list (RFC 9110, section 5.3)."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    return ",".join(values).split(",")


def _parsed(hop: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(hop.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
