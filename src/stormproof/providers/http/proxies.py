"""Servers that pass requests on, and for whom the environment names them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from stormproof.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stormproof.providers.http.pool import Origin

_USUAL_PORT: Final = 80


@dataclass(frozen=True)
class Proxy:
    """A server that passes requests on.

    Attributes:
        host: Its name or address.
        port: Where it listens.
        authorization: What proves to it who we are; empty if it wants nothing. Shown nowhere.
    """

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Take a URL apart; its scheme, which must be http, may be left out.

        Raises:
            ConfigurationError: It is none. It is not quoted: it may hold a password.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ConfigurationError(reason="a proxy's URL is none") from None
        if parts.scheme != "http" or not host or parts.path not in {"", "/"}:
            raise ConfigurationError(reason="a proxy's URL must be http://host:port")
        return cls(host, port or _USUAL_PORT, _basic(parts.username, parts.password))


class Proxies:
    """Which proxy the environment names for a server.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` name it, ``NO_PROXY`` those who are asked
    without one: domains, addresses and networks, with a port or without, or ``*``. In small letters
    they count first. This machine is always asked without one.

    Args:
        environment: Where the variables are.

    Raises:
        ConfigurationError: One of them names none that could be used.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._secure = _named("https_proxy", environment)
        self._plain = _named("http_proxy", environment)
        without = _said("no_proxy", environment).replace(",", " ").split()
        self._without = [_Exception.parse(one) for one in without]

    def of(self, origin: Origin) -> Proxy | None:
        """Return the proxy for a server; None if it is asked without one."""
        proxy = self._secure if origin.secure else self._plain
        if proxy is None or _is_here(origin.host):
            return None
        return None if any(one.covers(origin) for one in self._without) else proxy


@dataclass(frozen=True)
class _Exception:
    """Who is asked without a proxy.

    Attributes:
        name: A domain, an address or a network; ``*`` for everybody.
        port: Where they listen; None for anywhere.
    """

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> _Exception:
        name, colon, port = text.lower().rpartition(":")
        if not colon or not port.isdigit() or (":" in name and not name.endswith("]")):
            name, port = text.lower(), ""  # an address of IPv6 has colons of its own
        if name != "*":
            name = name.strip("[]").removeprefix("*").lstrip(".")
        return cls(name, int(port) if port else None)

    def covers(self, origin: Origin) -> bool:
        """Whether a server is one of them."""
        if self.port not in {None, origin.port}:
            return False
        if self.name in {"*", origin.host} or origin.host.endswith(f".{self.name}"):
            return True
        try:
            return ip_address(origin.host) in ip_network(self.name, strict=False)
        except ValueError:
            return False  # one of them is a name


def _named(variable: str, environment: Mapping[str, str]) -> Proxy | None:
    url = _said(variable, environment) or _said("all_proxy", environment)
    try:
        return Proxy.parse(url) if url else None
    except ConfigurationError as error:
        raise ConfigurationError(setting=variable.upper(), reason=error.reason) from None


def _said(variable: str, environment: Mapping[str, str]) -> str:
    return (environment.get(variable) or environment.get(variable.upper()) or "").strip()


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _basic(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"
