"""The HTTP client of this floor: proxies, certificates, timeouts; its failures made ours."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    DeadlineExceeded,
    NetworkError,
    ProtocolError,
    ServiceUnavailable,
    StormproofError,
    parse_retry_after,
)
from stormproof.recovery import Pipeline, Retry
from stormproof.version import __version__
from stormproof.weights.pip_settings import pip_setting

INDEX_SETTING: Final = "STORMPROOF_INDEX_URL"

PATIENCE: Final = Pipeline(
    Retry(
        attempts=5,
        initial_delay=0.5,
        max_delay=60.0,
        # By their own word a full disk and a wrong checksum may pass too; but not within a minute.
        retry_on=(NetworkError, ServiceUnavailable, DeadlineExceeded),
    ),
    name="model download",
)
"""Guards every request: its failures often pass by themselves."""

_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0

_NOT_HERE: Final = frozenset({404, 410})
_NOT_FOR_YOU: Final = frozenset({401, 403, 407})
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def http_client() -> httpx2.Client:
    """Return a client that honours the proxies and certificates of the environment and of pip.

    Raises:
        ConfigurationError: The file of certificates or the proxy's address is no such thing.
    """
    try:
        return httpx2.Client(
            verify=_certificates(),
            follow_redirects=True,
            timeout=httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            headers={
                "user-agent": f"stormproof/{__version__}",
                # The bytes that a resumed download counts are those of the file itself.
                "accept-encoding": "identity",
            },
        )
    except (OSError, ssl.SSLError) as error:
        reason = "the file of certificates cannot be read"
        raise ConfigurationError(setting="SSL_CERT_FILE", reason=reason) from error
    except (ValueError, httpx2.InvalidURL) as error:
        reason = "not the address of a proxy"
        raise ConfigurationError(setting="HTTPS_PROXY", reason=reason) from error


@contextmanager
def network_failures(url: str) -> Iterator[None]:
    """Turn every failure of the client in the block into a typed error that names the host."""
    host = host_of(url)
    try:
        yield
    except httpx2.TimeoutException as error:
        raise DeadlineExceeded(operation=f"the transfer from {host}") from error
    except httpx2.RemoteProtocolError as error:
        raise ConnectionLost(reason=f"{host} closed it before the end") from error
    except (httpx2.ReadError, httpx2.WriteError, httpx2.CloseError) as error:
        raise ConnectionLost(reason=f"{host} cut it") from error
    except (httpx2.UnsupportedProtocol, httpx2.TooManyRedirects, httpx2.InvalidURL) as error:
        raise ConfigurationError(setting=INDEX_SETTING, reason=f"{host}: {error}") from error
    except httpx2.HTTPError as error:
        raise NetworkError(reason=f"cannot reach {host}: {error}") from error


def refusal(response: httpx2.Response) -> StormproofError:
    """Return the error that an answer with an unwanted status amounts to."""
    url, status = response.url, response.status_code
    if status in _NOT_HERE:
        reason = f"{url.host} does not have {url.path} ({status})"
        return ConfigurationError(setting=INDEX_SETTING, reason=reason)
    if status in _NOT_FOR_YOU:
        reason = f"{url.host} wants other credentials ({status})"
        return ConfigurationError(setting=INDEX_SETTING, reason=reason)
    if status in _LATER:
        wait = parse_retry_after(response.headers.get("retry-after", ""))
        return ServiceUnavailable(reason=f"{url.host} answered {status}", retry_after=wait)
    return ProtocolError(reason=f"{url.host} answered {status}")


def host_of(url: str) -> str:
    """Return the host of a URL for a message, or the start of what should have been one."""
    try:
        return httpx2.URL(url).host or url[:80]
    except httpx2.InvalidURL:
        return url[:80]


def _certificates() -> ssl.SSLContext | bool:
    """The certificates that pip and requests were told to trust; else the client's own choice."""
    if os.environ.get("SSL_CERT_FILE"):
        return True  # the client reads this one itself
    bundle = pip_setting("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=bundle) if bundle else True
