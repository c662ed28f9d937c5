"""websockets."""

from typing import Any, Final

from stormproof.errors.client_errors import PayloadTooLarge
from stormproof.errors.external_errors import ConnectionLost, ProtocolError
from stormproof.errors.platform_errors import ConfigurationError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import THIRD_PARTY, Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug
from stormproof.errors.translate.network_reason import network_reason, unreachable
from stormproof.errors.translate.reading import header_map, integer, read


def _closed(exc: Any) -> StormproofError:
    # The peer's reason is its own text and stays on the cause; the code is a number of RFC 6455.
    code = integer(read(exc, "rcvd", "code")) or integer(read(exc, "sent", "code"))
    if code is None:
        return ConnectionLost(reason=network_reason(exc, "closed without a goodbye"))
    return ConnectionLost(reason=f"closed with code {code}")


def _refused(exc: Any) -> StormproofError:
    response = read(exc, "response") or exc  # the legacy client keeps both on the exception
    status, headers = integer(read(response, "status_code")), header_map(read(response, "headers"))
    return answered(Answer(THIRD_PARTY, status, headers, internal="WebSocket handshake"))


def _too_big(exc: Any) -> StormproofError:
    limit = integer(read(exc, "max_size"))
    return _broken("a message is too big")(exc) if limit is None else PayloadTooLarge(limit=limit)


def _broken(reason: str) -> Maker:
    return lambda _: ProtocolError(reason=reason)


def _proxy_failed(exc: Any) -> StormproofError:
    return unreachable("the proxy failed")(exc)


def _not_an_address(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="not a WebSocket address")


_HANDSHAKE: Final = _broken("the WebSocket handshake failed")

TABLE: Final[Table] = {
    "websockets.WebSocketException": _broken("not the WebSocket protocol"),
    "websockets.ProtocolError": _broken("not the WebSocket protocol"),
    # A connection that ends, and one that does not begin.
    "websockets.ConnectionClosed": _closed,
    "websockets.ConnectionClosedError": _closed,
    "websockets.ConnectionClosedOK": _closed,
    "websockets.InvalidHandshake": _HANDSHAKE,
    "websockets.AbortHandshake": _HANDSHAKE,
    "websockets.InvalidHeader": _HANDSHAKE,
    "websockets.InvalidMessage": _HANDSHAKE,
    "websockets.InvalidMethod": _HANDSHAKE,
    "websockets.InvalidProtocol": _HANDSHAKE,
    "websockets.InvalidStatus": _refused,
    "websockets.InvalidStatusCode": _refused,
    "websockets.NegotiationError": _HANDSHAKE,
    "websockets.RedirectHandshake": _HANDSHAKE,
    "websockets.SecurityError": _broken("the WebSocket handshake is too large"),
    "websockets.ProxyError": _proxy_failed,
    "websockets.InvalidProxyMessage": _proxy_failed,
    "websockets.InvalidProxyStatus": _proxy_failed,
    "websockets.InvalidProxy": _not_an_address,
    "websockets.InvalidURI": _not_an_address,
    "websockets.PayloadTooBig": _too_big,
    "websockets.TooManyFragments": _broken("a message has too many fragments"),
    # How we use it.
    "websockets.ConcurrencyError": bug,
    "websockets.InvalidState": bug,
    "websockets.MultipleValuesError": bug,
}
