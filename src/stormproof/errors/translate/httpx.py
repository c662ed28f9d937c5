"""httpx, and httpx2, which carries on its names."""

from typing import Any, Final

from stormproof.errors.external_errors import ConnectionLost, ProtocolError
from stormproof.errors.platform_errors import ConfigurationError, DeadlineExceeded
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import THIRD_PARTY, Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug
from stormproof.errors.translate.network_reason import network_reason, unreachable
from stormproof.errors.translate.reading import header_map, integer, message, read, seconds


def _status(exc: Any) -> StormproofError:
    response = read(exc, "response")
    status, headers = integer(read(response, "status_code")), header_map(read(response, "headers"))
    return answered(Answer(THIRD_PARTY, status, headers, internal=message(exc)))


def _timed_out(operation: str, limit: str) -> Maker:
    def make(exc: Any) -> StormproofError:
        timeout = seconds(read(exc, "request", "extensions", "timeout", limit))
        return DeadlineExceeded(operation=operation, timeout=timeout)

    return make


def _lost(exc: Any) -> StormproofError:
    return ConnectionLost(reason=network_reason(exc, "closed by the other side"))


def _broken(reason: str) -> Maker:
    return lambda _: ProtocolError(reason=reason)


def _remote_protocol(exc: Any) -> StormproofError:
    # The one class covers a peer that hangs up before it answers and one that answers nonsense.
    if "disconnected" in (message(exc) or ""):
        return ConnectionLost(reason="closed without a response")
    return ProtocolError(reason="not an HTTP response")


def _not_an_address(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="not an HTTP address")


_MAKERS: Final[Table] = {
    "CloseError": _lost,
    "ConnectError": unreachable("could not connect"),
    "ConnectTimeout": _timed_out("connect", "connect"),
    "CookieConflict": bug,
    "DecodingError": _broken("the body does not decode"),
    "HTTPError": unreachable("the request failed"),
    "HTTPStatusError": _status,
    "InvalidURL": _not_an_address,
    "LocalProtocolError": _broken("the request is not valid HTTP"),
    "NetworkError": unreachable("the connection failed"),
    "PoolTimeout": _timed_out("waiting for a free connection", "pool"),
    "ProtocolError": _broken("not HTTP"),
    "ProxyError": unreachable("the proxy failed"),
    "ReadError": _lost,
    "ReadTimeout": _timed_out("read", "read"),
    "RemoteProtocolError": _remote_protocol,
    "RequestError": unreachable("the request failed"),
    "RequestNotRead": bug,
    "ResponseNotRead": bug,
    "StreamClosed": bug,
    "StreamConsumed": bug,
    "StreamError": bug,
    "TimeoutException": _timed_out("the request", "read"),
    "TooManyRedirects": _broken("too many redirects"),
    "TransportError": unreachable("the connection failed"),
    "UnsupportedProtocol": _not_an_address,
    "WriteError": _lost,
    "WriteTimeout": _timed_out("write", "write"),
}

TABLE: Final[Table] = {
    **{f"{root}.{name}": make for root in ("httpx", "httpx2") for name, make in _MAKERS.items()},
    "httpx2.SSEError": _broken("not a stream of events"),
}
