"""Every failure of the HTTP client arrives as one of ours."""

from pathlib import Path

import httpx2
import pytest

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    DeadlineExceeded,
    NetworkError,
    StormproofError,
)
from stormproof.weights.transport import http_client, network_failures, refusal

REQUEST_ERRORS = [
    cls
    for cls in vars(httpx2).values()
    if isinstance(cls, type) and issubclass(cls, httpx2.RequestError)
]


@pytest.mark.parametrize("cls", REQUEST_ERRORS, ids=lambda cls: str(cls.__name__))
def test_no_error_of_a_request_is_missed(cls: type[httpx2.RequestError]) -> None:
    """Each public exception class of the client becomes a typed error that names the host."""
    with pytest.raises(StormproofError) as caught, network_failures("https://host.test/x"):
        raise cls("it broke")
    assert "host.test" in str(caught.value)
    assert isinstance(caught.value.__cause__, cls)


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (httpx2.ReadTimeout, DeadlineExceeded),
        (httpx2.ConnectError, NetworkError),
        (httpx2.ProxyError, NetworkError),
        (httpx2.ReadError, ConnectionLost),
        (httpx2.RemoteProtocolError, ConnectionLost),
        (httpx2.TooManyRedirects, ConfigurationError),
    ],
)
def test_what_they_become(foreign: type[httpx2.RequestError], ours: type[StormproofError]) -> None:
    with pytest.raises(StormproofError) as caught, network_failures("https://host.test/x"):
        raise foreign("it broke")
    assert type(caught.value) is ours


@pytest.mark.parametrize("status", [*range(300, 310), *range(400, 432), 451, *range(500, 512)])
def test_every_status_is_a_typed_error(status: int) -> None:
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://host.test/x"))
    assert str(status) in str(refusal(response))


def test_certificates_of_the_user_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of pip and requests are read; a file that cannot be read is named as the fault."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE"):
        with monkeypatch.context() as patch:
            patch.setenv(name, str(tmp_path / "missing.pem"))
            with pytest.raises(ConfigurationError, match="certificates"):
                http_client()


def test_a_proxy_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy.test")
    with pytest.raises(ConfigurationError, match="proxy"):
        http_client()
