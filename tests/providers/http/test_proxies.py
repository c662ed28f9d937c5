"""Requests go through the proxy that is named, which learns no more than it has to."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    NetworkError,
    ProtocolError,
    UntrustedPeer,
)
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.pool import Origin
from stormproof.providers.http.proxies import Proxies, Proxy
from support.proxy import ProxyServer
from support.raw_server import RawServer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
PASSWORD = "pw-" + "p" * 20
BASIC = b"proxy-authorization: Basic dXNlcjpwQHNz\r\n"  # user:p@ss


@pytest.fixture
async def proxy() -> AsyncIterator[ProxyServer]:
    running = ProxyServer()
    yield running
    running.stop()


@pytest.fixture
def provider_certificate(_ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _ca.issue_cert("provider.test").configure_cert(context)
    return context


def client_of(environment: dict[str, str], tls: ssl.SSLContext | None = None) -> HttpClient:
    return HttpClient(tls=tls, proxy=Proxies(environment).of)


async def ask(client: HttpClient, url: str, times: int = 1) -> list[bytes]:
    answers = []
    try:
        for _ in range(times):
            with await client.send("POST", url, {"x-key": "v"}, b"{}") as response:
                answers.append(await response.read(100))
    finally:
        client.close()
    return answers


async def test_a_plain_request_is_forwarded(server: RawServer, proxy: ProxyServer) -> None:
    """The proxy is told for whom it is, and who we are; connections to it are kept."""
    at = await proxy.start(await server.answering(OK, OK))
    client = client_of({"HTTP_PROXY": f"http://user:p%40ss@{at}"})
    assert await ask(client, "http://provider.test/v1/x?y=1", times=2) == [b"hello"] * 2
    [head] = proxy.heads
    assert head.startswith(
        b"POST http://provider.test/v1/x?y=1 HTTP/1.1\r\nhost: provider.test\r\n"
    )
    assert BASIC in head


async def test_a_secure_one_goes_through_a_tunnel(
    server: RawServer,
    proxy: ProxyServer,
    provider_certificate: ssl.SSLContext,
    authority: ssl.SSLContext,
) -> None:
    """The proxy sees where to, and nothing else; the server does not see who we are to it."""
    at = await proxy.start(await server.answering(OK, OK, tls=provider_certificate))
    client = client_of({"https_proxy": f"user:p%40ss@{at}"}, authority)
    assert await ask(client, "https://provider.test:8443/v1/x", times=2) == [b"hello"] * 2
    assert proxy.heads == [
        b"CONNECT provider.test:8443 HTTP/1.1\r\nhost: provider.test:8443\r\n" + BASIC + b"\r\n"
    ]
    assert server.connections == 1
    assert not any(b"proxy" in request for request in server.requests)


async def test_whoever_is_behind_a_tunnel_proves_who_he_is(
    server: RawServer,
    proxy: ProxyServer,
    certificate: ssl.SSLContext,
    authority: ssl.SSLContext,
) -> None:
    at = await proxy.start(await server.answering(OK, tls=certificate))
    client = client_of({"https_proxy": at}, authority)
    with pytest.raises(UntrustedPeer):
        await ask(client, "https://provider.test/v1/x")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", NetworkError, "status 407"),
        (b"HTTP/1.0 403 No\r\ncontent-length: 2\r\n\r\nno", NetworkError, "status 403"),
        (b"HTTP/1.1 502 Bad gateway\r\n\r\n", NetworkError, "status 502"),
        (b"", ConnectionLost, "the proxy hung up"),
        (b"HTTP/1.1 200 OK\r\n", ConnectionLost, "the proxy hung up"),
        (b"SSH-2.0\r\n\r\n", ProtocolError, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", ProtocolError, "not HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 20_000, ProtocolError, "not HTTP"),
    ],
)
async def test_a_tunnel_that_is_refused_is_an_error_of_the_network(
    proxy: ProxyServer, answer: bytes, error: type[NetworkError], message: str
) -> None:
    """Another rung may answer; what we prove ourselves with is not told."""
    proxy.answer = answer
    client = client_of({"https_proxy": f"http://user:{PASSWORD}@{await proxy.start()}"})
    with pytest.raises(error, match=message) as caught:
        await ask(client, "https://provider.test/v1/x")
    assert PASSWORD not in repr(caught.value) + str(caught.value)


async def test_so_is_a_request_that_the_proxy_does_not_forward(proxy: ProxyServer) -> None:
    proxy.answer = b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"
    client = client_of({"http_proxy": await proxy.start()})
    with pytest.raises(NetworkError, match="status 407"):
        await ask(client, "http://provider.test/v1/x")


async def test_a_proxy_that_is_not_there_is_an_error_of_the_network() -> None:
    client = client_of({"https_proxy": "http://127.0.0.1:9"})
    with pytest.raises(NetworkError):
        await ask(client, "https://provider.test/v1/x")


async def test_a_client_may_go_another_way(server: RawServer, proxy: ProxyServer) -> None:
    at = await proxy.start(await server.answering(OK))
    client = HttpClient()
    through = client.through(Proxy.parse(at))
    assert client.through(Proxy.parse(at)) is through
    with await through.send("POST", "http://provider.test/v1/x", {}) as response:
        assert await response.read(100) == b"hello"
    client.close()
    assert len(proxy.heads) == 1


def origin(host: str, port: int = 443, *, secure: bool = True) -> Origin:
    return Origin(secure, host, port)


ALL = {"HTTPS_PROXY": "http://proxy:3128", "HTTP_PROXY": "http://plain"}


def test_the_environment_names_it_by_the_kind_of_server() -> None:
    proxies = Proxies(ALL)
    assert proxies.of(origin("a.test")) == Proxy("proxy", 3128)
    assert proxies.of(origin("a.test", secure=False)) == Proxy("plain", 80)


def test_small_letters_come_first_and_one_may_stand_for_both() -> None:
    assert Proxies(ALL | {"https_proxy": "mine:1"}).of(origin("a.test")) == Proxy("mine", 1)
    assert Proxies({"ALL_PROXY": "all:2"}).of(origin("a.test", secure=False)) == Proxy("all", 2)
    assert Proxies({}).of(origin("a.test")) is None


@pytest.mark.parametrize(
    ("without", "host"),
    [
        ("*", "a.test"),
        ("b.test, a.test", "a.test"),
        ("test", "a.test"),
        (".test", "a.test"),
        ("*.TEST", "a.test"),
        ("a.test:443", "a.test"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::/8", "fd00::1"),
        ("[fd00::1]:443", "fd00::1"),
        ("", "localhost"),
        ("", "127.8.8.8"),
        ("", "::1"),
    ],
)
def test_some_are_asked_without_one(without: str, host: str) -> None:
    """This machine always."""
    assert Proxies(ALL | {"NO_PROXY": without}).of(origin(host)) is None


@pytest.mark.parametrize(
    ("without", "host"),
    [("a.test:80", "a.test"), ("a.test", "ba.test"), ("10.0.0.0/8", "11.0.0.1"), ("", "a.test")],
)
def test_others_are_not(without: str, host: str) -> None:
    assert Proxies(ALL | {"NO_PROXY": without}).of(origin(host)) is not None


@pytest.mark.parametrize(
    "url", [f"socks5://u:{PASSWORD}@p", f"https://u:{PASSWORD}@p", f"http://u:{PASSWORD}@p:no", "/"]
)
def test_what_is_no_proxy_is_told_by_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Proxies({"https_proxy": url})
    assert "HTTPS_PROXY" in str(caught.value)
    assert PASSWORD not in str(caught.value) + repr(caught.value.__context__)


def test_what_proves_who_we_are_is_not_shown() -> None:
    proxy = Proxy.parse(f"http://user:{PASSWORD}@proxy")
    assert proxy.authorization not in repr(proxy) + str(proxy)
