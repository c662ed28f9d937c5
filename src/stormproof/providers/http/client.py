"""Requests to any server, over connections that are kept."""

from __future__ import annotations

import re
import ssl
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from stormproof.errors import ConfigurationError, ConnectionLost, NetworkError
from stormproof.providers.http.pool import Origin, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stormproof.providers.http.proxies import Proxy
    from stormproof.providers.http.response import Response

_UNFIT: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_TARGET: Final = re.compile(r"[\x21-\x7e]+")
_STALE: Final = 1.0
"""Seconds of idleness after which a server may have closed a connection before the request came.
One that it cuts sooner it cuts because of the request, which is not sent again."""

_WHO_ARE_YOU: Final = 407
"""The status of a proxy that wants credentials, or others; nobody else has it."""

_PORTS: Final = {"http": 80, "https": 443}


class Address(NamedTuple):
    """A parsed URL.

    Attributes:
        origin: The server.
        authority: As the host header has it.
        target: Path and query.
    """

    origin: Origin
    authority: str
    target: str


class HttpClient:
    """Sends requests; belongs to the event loop on which it is used first.

    It follows no redirects, asks for no compression, keeps no cookies: those who serve models send
    none of them.

    Args:
        connections: Most connections to one server at once; who needs another waits in line.
        connect_timeout: Seconds for opening one.
        tls: How servers prove who they are; by default as the system trusts.
        proxy: Returns who passes requests to a server on, None if nobody has to; by default
            nobody has. `Proxies` reads it from the environment.
        clock: Seconds.
    """

    def __init__(
        self,
        *,
        connections: int = 512,
        connect_timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        proxy: Callable[[Origin], Proxy | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._proxy = proxy
        self._clock = clock
        self._pools: dict[Origin, Pool] = {}
        self._others: dict[Proxy | None, HttpClient] = {}

    def through(self, proxy: Proxy | None) -> HttpClient:
        """Return a client like this one that asks everybody through one proxy.

        Args:
            proxy: Which; None for none. This client closes the other with itself.
        """
        if proxy not in self._others:
            self._others[proxy] = HttpClient(
                connections=self._connections,
                connect_timeout=self._connect_timeout,
                tls=self._tls,
                proxy=lambda _: proxy,
                clock=self._clock,
            )
        return self._others[proxy]

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Send a request, and return the answer as soon as its head is there.

        A connection that the server closed while nobody used it is replaced by another.

        Args:
            method: ``GET``, ``POST`` …
            url: Where; with http or https.
            headers: Besides host and content-length.
            body: Sent as it is.

        Raises:
            NetworkError: The server cannot be reached, hung up, or does not speak HTTP.
            ConfigurationError: The URL or a header cannot be used.
        """
        address = parse_url(url)
        pool = self._pool(address.origin)
        request = _request(method, address, headers, body, by=pool.forwarder)
        while True:
            connection, idle = await pool.take()
            try:
                response = await connection.exchange(request)
            except ConnectionLost:
                if idle < _STALE or connection.answered:
                    raise
                continue
            if response.status == _WHO_ARE_YOU:
                response.close()
                raise NetworkError(reason="the proxy refuses, with status 407")
            return response

    def close(self) -> None:
        """Close every connection, whatever it is doing."""
        for pool in self._pools.values():
            pool.close()
        for other in self._others.values():
            other.close()

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            if origin.secure and self._tls is None:
                self._tls = ssl.create_default_context()
            pool = self._pools[origin] = Pool(
                origin,
                tls=self._tls,
                proxy=self._proxy(origin),
                connections=self._connections,
                connect_timeout=self._connect_timeout,
                clock=self._clock,
            )
        return pool


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ConfigurationError: It is none, or not one of http.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ConfigurationError(reason=f"not a URL: {error}") from error
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise ConfigurationError(reason="a URL must be http(s)://host[:port]/path, without a user")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise ConfigurationError(reason="a URL's path must be percent-encoded")
    authority = f"[{host}]" if ":" in host else host
    if port not in {None, _PORTS[parts.scheme]}:
        authority += f":{port}"
    origin = Origin(parts.scheme == "https", host, port or _PORTS[parts.scheme])
    return Address(origin, authority, target)


def _request(
    method: str, address: Address, headers: Mapping[str, str], body: bytes, *, by: Proxy | None
) -> bytes:
    target = f"http://{address.authority}{address.target}" if by else address.target
    lines = [f"{method} {target} HTTP/1.1", f"host: {address.authority}"]
    if by and by.authorization:
        lines.append(f"proxy-authorization: {by.authorization}")
    lines += map(": ".join, headers.items())
    lines.append(f"content-length: {len(body)}")
    if _UNFIT.search("".join(lines)):
        raise ConfigurationError(reason="a header has a character that HTTP does not allow there")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body
