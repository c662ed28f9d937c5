"""A client that costs next to nothing: it notes when bytes come, and reads them afterwards.

It shares the processors with the server that it measures, so what it does is taken from it.
"""

import asyncio
import io
import json
import time
from collections.abc import Sequence
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any, cast


class HttpRequest:
    """The bytes of a POST with a JSON body, made before the clock starts."""

    def __init__(self, path: str, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        self.wire = head.encode() + text


class Stream(asyncio.Protocol):
    """One answer, as a stream of server-sent events.

    Args:
        request: What is sent as soon as the connection stands.
        started: When all requests were sent; times count from there.
    """

    def __init__(self, request: HttpRequest, started: float) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._started = started
        self._pieces: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        cast("asyncio.WriteTransport", transport).write(self._request.wire)

    def data_received(self, data: bytes) -> None:
        """Note when this came."""
        self._pieces.append((time.perf_counter(), data))

    def connection_lost(self, error: Exception | None) -> None:
        """Be done; what is missing will show."""
        del error
        self.ended.set_result(None)

    @property
    def first(self) -> float:
        """Seconds until the first event."""
        received = b""
        for when, piece in self._pieces:
            received += piece
            if b"data: " in received:
                return when - self._started
        raise HTTPException("no events")

    @property
    def last(self) -> float:
        """Seconds until the last bytes."""
        return self._pieces[-1][0] - self._started

    def events(self) -> list[dict[str, Any]]:
        """Read what was received.

        Raises:
            HTTPException: It is no answer, or one that says no.
        """
        response = HTTPResponse(cast("Any", _Received(b"".join(p for _, p in self._pieces))))
        response.begin()
        body = response.read()
        if response.status != 200:
            raise HTTPException(f"{response.status}: {body.decode(errors='replace')}")
        lines = body.splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


class _Received:
    """Bytes, where a socket is expected."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> io.BytesIO:
        del mode
        return io.BytesIO(self._received)


async def fetch(port: int, requests: Sequence[HttpRequest]) -> list[Stream]:
    """Send requests at once to a port of this machine; return when all are answered.

    Raises:
        OSError: Nobody listens there.
    """
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    connections = await asyncio.gather(
        *(
            loop.create_connection(partial(Stream, request, started), "127.0.0.1", port)
            for request in requests
        )
    )
    streams = [stream for _, stream in connections]
    await asyncio.gather(*(stream.ended for stream in streams))
    return streams
