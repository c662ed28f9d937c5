"""aiohttp: its client, its parser, and what its server raises to answer."""

from typing import Any, Final

from stormproof.errors.external_errors import ConnectionLost, ProtocolError, UntrustedPeer
from stormproof.errors.platform_errors import ConfigurationError, DeadlineExceeded
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import THIRD_PARTY, Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug, control_flow
from stormproof.errors.translate.network_reason import network_reason, unreachable
from stormproof.errors.translate.reading import header_map, integer, message, read


def _status(exc: Any) -> StormproofError:
    status, headers = integer(read(exc, "status")), header_map(read(exc, "headers"))
    return answered(Answer(THIRD_PARTY, status, headers, internal=message(exc)))


def _timed_out(operation: str) -> Maker:
    return lambda _: DeadlineExceeded(operation=operation)


def _lost(reason: str) -> Maker:
    return lambda exc: ConnectionLost(reason=network_reason(exc, reason))


def _broken(reason: str) -> Maker:
    return lambda _: ProtocolError(reason=reason)


def _payload(exc: Any) -> StormproofError:
    # One class for a body cut short and a body that does not decode; the cause tells which.
    cause = type(read(exc, "__cause__")).__qualname__
    if cause in {"ContentEncodingError", "TransferEncodingError", "DecompressSizeError"}:
        return ProtocolError(reason="the body does not decode")
    return ConnectionLost(reason="the response ended early")


def _not_an_address(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="not an HTTP address")


TABLE: Final[Table] = {
    # The client.
    "aiohttp.ClientError": unreachable("the request failed"),
    "aiohttp.ClientConnectionError": unreachable("the connection failed"),
    "aiohttp.ClientConnectionResetError": _lost("closed by the other side"),
    "aiohttp.ClientConnectorCertificateError": lambda _: UntrustedPeer(),
    "aiohttp.ClientConnectorDNSError": unreachable("the name does not resolve"),
    "aiohttp.ClientConnectorError": unreachable("could not connect"),
    "aiohttp.ClientConnectorSSLError": _broken("TLS could not be agreed"),
    "aiohttp.ClientHttpProxyError": unreachable("the proxy refused"),
    "aiohttp.ClientOSError": _lost("closed by the other side"),
    "aiohttp.ClientPayloadError": _payload,
    "aiohttp.ClientProxyConnectionError": unreachable("the proxy is not there"),
    "aiohttp.ClientResponseError": _status,
    "aiohttp.ClientSSLError": _broken("TLS could not be agreed"),
    "aiohttp.ConnectionTimeoutError": _timed_out("connect"),
    "aiohttp.ContentTypeError": _broken("the body is of another type"),
    "aiohttp.InvalidURL": _not_an_address,
    "aiohttp.InvalidUrlClientError": _not_an_address,
    "aiohttp.InvalidUrlRedirectClientError": _broken("redirected to no address"),
    "aiohttp.NonHttpUrlClientError": _not_an_address,
    "aiohttp.NonHttpUrlRedirectClientError": _broken("redirected away from HTTP"),
    "aiohttp.RedirectClientError": _broken("redirected to no address"),
    "aiohttp.ServerConnectionError": unreachable("the connection failed"),
    "aiohttp.ServerDisconnectedError": _lost("closed without a response"),
    "aiohttp.ServerFingerprintMismatch": lambda _: UntrustedPeer(),
    "aiohttp.ServerTimeoutError": _timed_out("read"),
    "aiohttp.SocketTimeoutError": _timed_out("read"),
    "aiohttp.TooManyRedirects": _broken("too many redirects"),
    "aiohttp.UnixClientConnectorError": unreachable("could not connect"),
    "aiohttp.UploadAbortedError": _lost("the upload was cut short"),
    "aiohttp.WSMessageTypeError": _broken("another type of WebSocket message came"),
    "aiohttp.WSServerHandshakeError": _status,
    # WebSockets.
    "aiohttp.WebSocketError": _broken("not the WebSocket protocol"),
    "aiohttp.WSHandshakeError": _broken("the WebSocket handshake failed"),
    # The parser.
    "aiohttp.HttpProcessingError": _broken("not HTTP"),
    "aiohttp.BadHttpMessage": _broken("not HTTP"),
    "aiohttp.BadHttpMethod": _broken("not an HTTP method"),
    "aiohttp.BadStatusLine": _broken("not an HTTP status line"),
    "aiohttp.ContentEncodingError": _broken("the body does not decode"),
    "aiohttp.ContentLengthError": _broken("the body has another length than was said"),
    "aiohttp.DecompressSizeError": _broken("the body decompresses to too much"),
    "aiohttp.HttpBadRequest": _broken("not HTTP"),
    "aiohttp.InvalidHeader": _broken("not an HTTP header"),
    "aiohttp.InvalidURLError": _broken("not an HTTP address"),
    "aiohttp.LineTooLong": _broken("a line is too long"),
    "aiohttp.PayloadEncodingError": _broken("the body does not decode"),
    "aiohttp.TooManyMembersError": _broken("the body has too many compressed members"),
    "aiohttp.TransferEncodingError": _broken("the body does not decode"),
    # The server: an HTTPException is a response that travels as an exception.
    "aiohttp.HTTPException": control_flow,
    "aiohttp.EofStream": control_flow,
    "aiohttp.CleanupError": bug,
    "aiohttp.LookupError": bug,
    "aiohttp.PayloadAccessError": bug,
    "aiohttp.RequestPayloadError": _broken("the body of the request does not decode"),
}
