"""Finding the address at which a server can be reached."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import aiohappyeyeballs

_HEAD_START: Final = 0.25
"""Seconds that an address gets before the next is tried beside it, as RFC 8305 recommends."""


async def reach(host: str, port: int) -> socket.socket:
    """Connect to a server, at the first of its addresses that answers (RFC 8305).

    An address that swallows everything, as IPv6 does behind many a router, would otherwise take the
    time that there is for all of them.

    Args:
        host: Its name or address.
        port: Where it listens.

    Raises:
        OSError: It has no address, or none of them can be connected to.
    """
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=_HEAD_START, interleave=1
    )
