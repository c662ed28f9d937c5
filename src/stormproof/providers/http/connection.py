"""A connection, which carries one exchange after another (RFC 9112)."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

import httptools

from stormproof.errors import ConnectionLost, ProtocolError, translate
from stormproof.providers.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from stormproof.errors import StormproofError

_MOST_HEAD: Final = 1 << 16
_OK: Final = 200
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Phase(Enum):
    """Where an exchange is.

    ```text
    IDLE ──► HEAD ──► BODY ──► IDLE      (from anywhere: CLOSED)
    ```
    """

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """One exchange at a time; made by the event loop that it belongs to.

    Args:
        freed: Called once after each exchange, and when it closes while idle.
        clock: Seconds, for how long it has been idle.
    """

    def __init__(self, freed: Callable[[Connection], None], clock: Callable[[], float]) -> None:
        self._freed = freed
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._phase = Phase.IDLE
        self._head: asyncio.Future[Response] | None = None
        self._head_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._response: Response | None = None
        self.idle_since = clock()

    @property
    def usable(self) -> bool:
        """Whether a request may be sent."""
        return self._phase is Phase.IDLE and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether anything of an answer to the last request has come."""
        return self._head_bytes > 0

    async def exchange(self, request: bytes) -> Response:
        """Send a request, and return the answer as soon as its head is there.

        Args:
            request: All of it, as bytes on the wire.

        Raises:
            ConnectionLost: The server hung up.
            ProtocolError: It answered with something that is not HTTP.
        """
        self._phase = Phase.HEAD
        self._head_bytes = 0
        self._head = self._loop.create_future()
        self._transport.write(request)
        try:
            return await self._head
        except asyncio.CancelledError:
            self.abort()
            raise

    def pause(self) -> None:
        """Stop reading from the server."""
        if self._phase is Phase.BODY:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the server again."""
        if self._phase is Phase.BODY:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._leave(Phase.CLOSED)
        self._transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(ProtocolError(reason="the server's answer is not HTTP/1.1"))
        if self._phase is Phase.HEAD and self._head_bytes > _MOST_HEAD:
            self._fail(ProtocolError(reason="the answer's headers have no end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was under way; a body without a length ends so."""
        framed = _FRAMING.intersection(name for name, _ in self._headers)
        whole = self._phase is Phase.BODY and not framed and exc is None
        self._leave(Phase.CLOSED, None if whole else translate(exc) if exc else ConnectionLost())

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin a head; one that nobody asked for would answer the next request."""
        self._headers = []
        if self._phase is Phase.IDLE:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Give the answer to whoever asked; one that is only informational is not it."""
        status = self._parser.get_status_code()
        if status < _OK or not self._head or self._head.done():
            return
        self._phase = Phase.BODY
        self._response = Response(status, self._headers, self)
        self._head.set_result(self._response)

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on."""
        if self._response:
            self._response.arrived(body)

    def on_message_complete(self) -> None:
        """End the exchange, and stay for the next if the server does."""
        if self._phase is not Phase.BODY:
            return
        stays = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        self._transport.resume_reading()
        self._leave(Phase.IDLE if stays else Phase.CLOSED)
        if not stays:
            self._transport.close()

    def _fail(self, error: StormproofError) -> None:
        self._leave(Phase.CLOSED, error)
        self._transport.abort()

    def _leave(self, phase: Phase, error: StormproofError | None = None) -> None:
        """End the exchange under way, if there is one."""
        if self._phase is Phase.CLOSED:
            return
        busy, self._phase = self._phase is not Phase.IDLE, phase
        head, self._head = self._head, None
        response, self._response = self._response, None
        if head and not head.done():
            head.set_exception(error or ConnectionLost())
        if response:
            response.ended(error)
        self.idle_since = self._clock()
        if busy:
            self._freed(self)
