"""Connections to one server, kept for the next request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from stormproof.errors import NetworkError, translate
from stormproof.providers.http.connection import Connection
from stormproof.providers.http.reaching import reach
from stormproof.providers.http.tunnel import open_tunnel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from stormproof.providers.http.proxies import Proxy

_IDLE: Final = 30.0
"""Seconds after which an idle connection is not trusted: servers close theirs after a minute or so,
and the notice may be on its way when the request is."""


class Origin(NamedTuple):
    """A server.

    Attributes:
        secure: Whether it speaks TLS.
        host: Its name or address.
        port: Where it listens.
    """

    secure: bool
    host: str
    port: int


class Pool:
    """Opens connections to one server, so many at once, and uses the youngest idle one first.

    Args:
        origin: The server.
        tls: How to prove that it is that server, where it is secure.
        proxy: Who passes requests on; None if nobody has to.
        connections: Most at once; who needs another waits in line.
        connect_timeout: Seconds for opening one.
        clock: Seconds, for how long one was idle.

    Attributes:
        forwarder: The proxy, where it reads requests and has to be told for whom they are.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        tls: ssl.SSLContext | None,
        proxy: Proxy | None,
        connections: int,
        connect_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self.forwarder: Final = None if origin.secure else proxy
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._room = asyncio.Semaphore(connections)
        self._connect_timeout = connect_timeout
        self._clock = clock
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def take(self) -> tuple[Connection, float]:
        """Return a connection for one exchange, and the seconds for which it was idle.

        Raises:
            NetworkError: The server cannot be reached.
            UntrustedPeer: It cannot prove who it is.
        """
        await self._room.acquire()
        try:
            return self._youngest() or (await self._connect(), 0.0)
        except BaseException:
            self._room.release()
            raise

    def close(self) -> None:
        """Close every connection, whatever it is doing."""
        for connection in (*self._idle, *self._open):
            connection.abort()
        self._idle.clear()

    def _youngest(self) -> tuple[Connection, float] | None:
        while self._idle:
            connection = self._idle.pop()
            idle = self._clock() - connection.idle_since
            if connection.usable and idle < _IDLE:
                self._open.add(connection)
                return connection, idle
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_timeout):
                connection = await self._reach()
        except TimeoutError as error:
            reason = f"no connection within {self._connect_timeout:g} s"
            raise NetworkError(reason=reason) from error
        except OSError as error:
            raise translate(error) from error
        self._open.add(connection)
        return connection

    async def _reach(self) -> Connection:
        tls = self._tls if self._origin.secure else None
        if self._proxy and tls:
            return await open_tunnel(self._proxy, self._origin, tls, self._make)
        server = self._proxy or self._origin
        _, connection = await asyncio.get_running_loop().create_connection(
            self._make,
            sock=await reach(server.host, server.port),
            ssl=tls,
            server_hostname=server.host if tls else None,
        )
        return connection

    def _make(self) -> Connection:
        return Connection(self._freed, self._clock)

    def _freed(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection.usable:
            self._idle.append(connection)
        self._room.release()
