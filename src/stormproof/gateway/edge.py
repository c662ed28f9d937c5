"""What every request passes on its way in: an id, a size limit, a key, a last resort.

Plain ASGI, because a framework's middleware would hide the client's disconnect from the routes.
"""

import logging
import os
import re
import time
from collections.abc import Awaitable, MutableMapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stormproof.errors import PayloadTooLarge, UnsupportedMediaType
from stormproof.gateway.addresses import Addresses
from stormproof.gateway.headers import Headers, header, headers_of, user_of
from stormproof.gateway.http_series import HttpSeries
from stormproof.gateway.keys import Keyring
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.openapi import DOCS_ASSETS
from stormproof.gateway.wire_errors import respond
from stormproof.reflex import Caller
from stormproof.signals import Metrics, log_context, log_often

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_CLIENT_GONE: Final = 499
"""The status that is counted, and never sent, when the client left before there was an answer."""

_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by machines; logged only at debug level."""

_OPEN: Final = (*sorted(_PROBES), "/docs", "/openapi.json", DOCS_ASSETS)
"""Where everyone may go, also while the server drains. Everywhere else is closed, so that a new
route is born closed."""

_PLAIN: Final = "identity"
"""What RFC 9110 calls a body that is not compressed."""

_JSON: Final = "application/json"
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """The outermost layer of the server.

    Args:
        app: What serves the request.
        keyring: Who may call everything but the probes and the docs.
        lifecycle: Whether new work is still accepted.
        metrics: Where answers are counted.
        signals: Where errors are counted.
        max_body_bytes: Larger bodies are refused, before they are read where the client says so.
        addresses: Tells from where requests come.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keyring: Keyring,
        lifecycle: Lifecycle,
        metrics: HttpSeries,
        signals: Metrics,
        max_body_bytes: int,
        addresses: Addresses,
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._signals = signals
        self._max_body_bytes = max_body_bytes
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        exchange = _Exchange(scope, send, _request_id(headers))
        self._metrics.in_flight += 1
        with log_context(request_id=exchange.request_id):
            try:
                self._admit(scope, headers)
                body = _BoundedBody(receive, self._max_body_bytes)
                await self._app(scope, body.receive, exchange.send)
            except ClientDisconnect:
                pass  # nobody hears an answer
            except Exception as error:  # noqa: BLE001 - the last resort: nothing internal gets out
                await exchange.fail(error, receive)
            finally:
                self._metrics.in_flight -= 1
                self._record(scope, exchange)

    def _admit(self, scope: Scope, headers: Headers) -> None:
        if not scope["path"].startswith(_OPEN):
            scope["state"]["caller"] = self._caller(scope, headers)
            self._lifecycle.check_accepting()
        if b"origin" in headers:
            _check_origin(scope, headers)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise PayloadTooLarge(limit=self._max_body_bytes)
        if b"content-encoding" in headers:
            _check_coding(headers)

    def _caller(self, scope: Scope, headers: Headers) -> Caller:
        """Return who asks, as far as that is known before the body is read.

        Raises:
            Unauthorized: He may not.
        """
        held = self._keyring.check(header(headers, b"authorization"), header(headers, b"x-api-key"))
        user, address = user_of(headers), self._addresses.of(scope)
        return Caller(held.tenant, held.key, user, address, held.limits)

    def _record(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        route = getattr(scope.get("route"), "path", "(none)")
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        self._metrics.answered(route=route, method=method, status=exchange.status, seconds=seconds)
        code = scope["state"].get("error_code")
        if code:
            self._signals.failed(code, "gateway")
        level = logging.DEBUG if route in _PROBES else logging.INFO
        log_often(
            logger,
            level,
            "request answered",
            method=method,
            route=route,
            status=exchange.status,
            code=code,
            seconds=round(seconds, 4),
        )


class _Exchange:
    """What is known of one request and its answer."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.started = time.perf_counter()
        self.status = _CLIENT_GONE
        self.request_id = request_id
        self._answered = False
        self._scope = scope
        self._send = send
        scope.setdefault("state", {})["request_id"] = request_id

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, with what the headers are to say beside."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message)
        elif message["type"] == "http.response.body":
            self._answered = not message.get("more_body", False)
        return self._send(message)

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Answer with an error, if there has been no answer yet."""
        if self._answered:
            return  # with this very error, which the framework raises again for its server
        if self.status != _CLIENT_GONE:
            raise error  # headers are out; only breaking off is honest
        response = respond(Request(self._scope), error)
        response.headers["connection"] = "close"  # the body may not have been read
        await response(self._scope, receive, self.send)

    def _headers(self, message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
        """Return the headers, with the request's id, and what those have to say who let it in."""
        headers = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
        headers.append((b"x-request-id", self.request_id.encode()))
        if said := self._scope["state"].get("headers"):
            headers += said().items()
        return headers


class _BoundedBody:
    """Counts the bytes of a body that did not announce its size."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            raise PayloadTooLarge(limit=self._limit)
        return message


def _check_coding(headers: Headers) -> None:
    """Turn away a body that would have to be unpacked.

    Raises:
        UnsupportedMediaType: It would.
    """
    coding = header(headers, b"content-encoding") or _PLAIN
    if coding.lower() != _PLAIN:
        sent = f"content-encoding: {coding[:100]}"
        raise UnsupportedMediaType(media_type=sent, expected="the body uncompressed")


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Turn away what a web page sends without asking: only for JSON browsers ask the server first.

    Raises:
        UnsupportedMediaType: Any page on the internet could have had it sent, at our expense.
    """
    if scope["method"] not in _WITH_BODY:
        return
    kind = header(headers, b"content-type") or "none"
    if kind.partition(";")[0].strip().lower() != _JSON:
        raise UnsupportedMediaType(media_type=kind[:100], expected=_JSON)


def _request_id(headers: Headers) -> str:
    given = headers.get(b"x-request-id")
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"req_{os.urandom(12).hex()}"
