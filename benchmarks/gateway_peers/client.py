"""A client that costs next to nothing: it notes when bytes come, and reads them afterwards.

It shares the processors with the gateway that it measures, so what it does is taken from it.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, cast

import httptools

_CONTENT: Final = re.compile(rb'"content":\s*"[^"]')
_FINISHED: Final = re.compile(rb'"finish_reason":\s*"')
_DONE: Final = b"data: [DONE]"

Document = dict[str, Any]


def request(body: Document, headers: Mapping[str, str], path: str) -> bytes:
    """Return a request as it is sent, made before the clock starts."""
    text = json.dumps(body).encode()
    named = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(text)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + text


class Exchange:
    """A request that was sent, and what came back; seconds count from the sending.

    Attributes:
        status: Of the answer; 0 while there is none.
        headers: Of the answer.
        pieces: When parts of the body came, and these.
        complete: Whether the body came to its end.
        seconds: How long it took, until the end of the body or of the connection.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[tuple[float, bytes]] = []
        self.complete = False
        self.seconds = 0.0
        self.begun = time.perf_counter()

    @cached_property
    def body(self) -> bytes:
        """All that came."""
        return b"".join(piece for _, piece in self.pieces)

    @property
    def is_whole(self) -> bool:
        """Whether it is an answer, or a stream, that came to its end."""
        ended = _FINISHED.search(self.body) is not None
        streamed = self.body.startswith(b"data:")
        return self.status == 200 and ended and (_DONE in self.body[-64:] or not streamed)

    @property
    def arrivals(self) -> list[float]:
        """When tokens came."""
        return [when for when, piece in self.pieces if _CONTENT.search(piece)]

    @property
    def events(self) -> int:
        """How many events it is."""
        return self.body.count(b"data: ")


class Connection(asyncio.Protocol):
    """A connection to a gateway, for one request after another."""

    def __init__(self) -> None:
        self.is_open = False
        self._exchange = Exchange()
        self._received: list[bytes] = []
        self._ended: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self.is_open = False
        self._end()

    def data_received(self, data: bytes) -> None:
        when = time.perf_counter() - self._exchange.begun
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        if self._received:
            self._exchange.pieces.append((when, b"".join(self._received)))
            self._received.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._exchange.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._received.append(body)

    def on_message_complete(self) -> None:
        self._exchange.complete = True
        if not self._parser.should_keep_alive():
            self._transport.close()
            self.is_open = False
        self._end()

    async def ask(self, wire: bytes, patience: float) -> Exchange:
        """Send a request; return what has come when the answer ends, or after ``patience``."""
        self._parser = httptools.HttpResponseParser(self)
        self._exchange = Exchange()
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        impatient = loop.call_later(patience, self.close)
        self._transport.write(wire)
        await self._ended
        impatient.cancel()
        return self._exchange

    def close(self) -> None:
        """Leave."""
        self._transport.abort()

    def _end(self) -> None:
        if self._ended and not self._ended.done():
            self._exchange.seconds = time.perf_counter() - self._exchange.begun
            self._ended.set_result(None)


async def connect(port: int) -> Connection:
    """Return a connection to a port of this machine.

    Raises:
        OSError: Nobody listens there.
    """
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection
