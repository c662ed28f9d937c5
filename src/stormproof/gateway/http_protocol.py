"""HTTP/1.1 as clients really speak it; what is not even that still gets the one wire form."""

import json
import secrets
from asyncio import Transport
from typing import Any, ClassVar, Final, cast

import httptools
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from stormproof.errors import InvalidRequest, http_headers, to_wire
from stormproof.gateway.cork import Cork
from stormproof.gateway.presence import GONE

MOST_HEAD: Final = 1 << 16
"""Bytes of a request line and headers that come piece by piece."""

_UPGRADING: Final = frozenset({b"upgrade", b"http2-settings"})


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's fast HTTP/1.1, and what it leaves to others.

    A head has an end, and a request that does not go on is not waited for. An offer to speak
    something else, which some clients make with each request, is ignored (RFC 9110, section 7.8).
    Whoever leaves is noticed, also if more requests are in line behind the one that is served.
    HTTP/1.0 gets no chunks.
    """

    patience: ClassVar[float] = 60.0
    """Seconds that may pass before a request begins, and between two pieces of it: who was cut off
    from the network cannot say that he has left."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._in_head = False
        self._in_request = False
        self._served: RequestResponseCycle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(cast("Transport", Cork(transport, self.loop)))
        self._gone = self.loop.create_future()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD:
                self._refuse(f"the headers have more than {MOST_HEAD} bytes")
                return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as ended:
            self._stay(data[ended.args[0] :])
        except httptools.HttpParserError:
            self._refuse("this is not HTTP/1.1, or uses a method that is not known")
        if self._in_request:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is working for the client, and drop what was in line."""
        super().connection_lost(exc)
        self._gone.set_result(None)
        self.pipeline.clear()
        if self._served and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin with a head."""
        super().on_message_begin()
        self.scope["state"][GONE] = self._gone
        self._in_request = self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Serve the request, or put it in line."""
        self._in_head = False
        if self.parser.should_upgrade():
            return  # the parser stops here, and its body would be lost
        super().on_headers_complete()
        if self._served is None or self._served.response_complete:
            self._served = self.cycle
        if self.scope["http_version"] == "1.0":
            _do_not_chunk(self.cycle)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_request = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    # Called by the exchange that is over.

    def on_response_complete(self) -> None:
        """Go on with the next in line."""
        self._served = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()

    def _wait(self) -> None:
        """Hang up if nothing more comes, unless it is the client who waits."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.patience, self._hang_up)

    def _hang_up(self) -> None:
        served = self._served
        if served is None or served.response_complete or served.more_body:
            self.transport.close()

    def _stay(self, body: bytes) -> None:
        """Read a request again that came with an offer to speak something else, without that."""
        method: bytes = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse("nobody is connected to others here")
            return
        headers = [pair for pair in self.headers if pair[0] not in _UPGRADING]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        version = self.parser.get_http_version().encode()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, lines)
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + body)

    def _refuse(self, reason: str) -> None:
        """Answer and hang up: where the next request would begin is unknown.

        Whoever asked before gets his answer first, and this one none.
        """
        self._in_request = False
        self.flow.pause_reading()
        served = self._served
        if served and not served.response_complete and not served.more_body:
            self.pipeline.clear()
            served.keep_alive = False
            return
        if served and served.more_body and served.response_started:
            self.transport.close()
            return
        error = InvalidRequest(reason=reason, request_id=f"req_{secrets.token_hex(12)}")
        body = json.dumps(to_wire(error)).encode()
        headers = {
            **http_headers(error),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _do_not_chunk(cycle: RequestResponseCycle) -> None:
    """Have an answer end with the connection (RFC 9112, section 6.3)."""
    framed = cycle.send
    cycle.chunked_encoding = False

    async def send(message: Message) -> None:
        cycle.expected_content_length = len(message.get("body", b""))
        await framed(message)  # type: ignore[arg-type]

    cycle.send = send  # type: ignore[method-assign, assignment]
