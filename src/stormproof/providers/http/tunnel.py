"""A way through a proxy to a server that speaks TLS (CONNECT, RFC 9110), unread."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, TypeVar, cast

from stormproof.errors import ConnectionLost, NetworkError, ProtocolError
from stormproof.providers.http.reaching import reach

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from stormproof.providers.http.pool import Origin
    from stormproof.providers.http.proxies import Proxy

Spoken = TypeVar("Spoken", bound=asyncio.Protocol)

_MOST_HEAD: Final = 1 << 14
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


async def open_tunnel(
    proxy: Proxy, origin: Origin, tls: ssl.SSLContext, make: Callable[[], Spoken]
) -> Spoken:
    """Open a connection to a server through a proxy.

    Args:
        proxy: Who is asked for it.
        origin: The server.
        tls: How it proves who it is.
        make: Makes what speaks over the connection.

    Raises:
        NetworkError: The proxy refuses.
        OSError: It cannot be reached, or the server cannot prove who it is.
    """
    loop = asyncio.get_running_loop()
    _, asking = await loop.create_connection(_Asking, sock=await reach(proxy.host, proxy.port))
    try:
        await asking.ask(_request(proxy, origin))
        spoken = make()
        secured = await loop.start_tls(asking.transport, spoken, tls, server_hostname=origin.host)
    except BaseException:
        asking.transport.abort()
        raise
    spoken.connection_made(cast("asyncio.Transport", secured))
    return spoken


class _Asking(asyncio.Protocol):
    """Asks a proxy, once."""

    def __init__(self) -> None:
        self._head = b""
        self._answer = asyncio.get_running_loop().create_future()

    async def ask(self, request: bytes) -> None:
        """Ask, and return when the way is open."""
        self.transport.write(request)
        head: bytes = await self._answer
        status = _STATUS.match(head)
        if status and not status[1].startswith(b"2"):
            raise NetworkError(reason=f"the proxy refuses, with status {int(status[1])}")
        if status is None or not head.endswith(b"\r\n\r\n"):
            raise ProtocolError(reason="the proxy's answer is not HTTP/1.1")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read the head of the answer; whoever is behind the proxy waits to be spoken to."""
        self._head += data
        if (b"\r\n\r\n" in self._head or len(self._head) > _MOST_HEAD) and not self._answer.done():
            self._answer.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Wait no longer."""
        if not self._answer.done():
            self._answer.set_exception(ConnectionLost(reason="the proxy hung up"))


def _request(proxy: Proxy, origin: Origin) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}"]
    if proxy.authorization:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
