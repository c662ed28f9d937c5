"""What a server answers: its head at once, its body as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, Self

from stormproof.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from stormproof.errors import StormproofError

_MOMENT: Final = 1.0
"""Seconds that the end of a body is awaited for of which all that matters has come."""

_HIGH_WATER: Final = 1 << 18
"""Bytes that wait for their reader, beyond which the server is not read from."""


class Source(Protocol):
    """The connection that a response comes over."""

    def pause(self) -> None:
        """Stop reading from the server."""

    def resume(self) -> None:
        """Read from the server again."""

    def abort(self) -> None:
        """Give the response up, and the connection with it."""


class Response:
    """One answer; used as a context, it is given up at the end unless it came whole.

    Args:
        status: The HTTP status, 200 to 599.
        headers: Names in lower case, and values.
        source: Where the body comes from.
    """

    __slots__ = (
        "_arrived",
        "_error",
        "_leaving",
        "_size",
        "_source",
        "_waiter",
        "headers",
        "status",
    )

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], source: Source) -> None:
        self.status: Final = status
        self.headers: Final = headers
        self._source: Source | None = source
        self._arrived: list[bytes] = []
        self._size = 0
        self._error: StormproofError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    def header(self, name: str) -> str | None:
        """Return the first header of a name in lower case."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)

    async def receive(self) -> bytes:
        """Return what has come since the last call, or wait for it; nothing at the end.

        Raises:
            ConnectionLost: The body ended before its end.
            ProtocolError: What came is not HTTP.
        """
        while not self._arrived:
            if self._error:
                raise self._error
            if not self._source:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = b"".join(self._arrived)
        self._arrived.clear()
        if self._source and self._size >= _HIGH_WATER:
            self._source.resume()
        self._size = 0
        return data

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Raises:
            ConnectionLost: It ended before its end.
            ProtocolError: What came is not HTTP.
        """
        while data := await self.receive():
            yield data

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Args:
            limit: Most bytes of it.

        Raises:
            PayloadTooLarge: It is longer.
            ConnectionLost: It ended before its end.
            ProtocolError: What came is not HTTP.
        """
        body = bytearray()
        while True:
            body += await self.receive()
            if len(body) > limit:
                self.close()
                raise ProtocolError(reason=f"the answer has more than {limit} bytes")
            if not self._source and not self._error:
                return bytes(body)

    def leave(self) -> None:
        """Want no more of the body, whose end is near: then the connection is of use again."""
        if self._source and not self._leaving:
            self._source.resume()
            self._leaving = asyncio.get_running_loop().call_later(_MOMENT, self.close)

    def close(self) -> None:
        """Give up what has not come; the server is told by the connection's end."""
        if self._source:
            self._source.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._source and not self._leaving:
            self._source.abort()

    # What follows is called by the connection.

    def arrived(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._leaving:
            return
        self._arrived.append(data)
        self._size += len(data)
        if self._source and self._size >= _HIGH_WATER:
            self._source.pause()
        self._wake()

    def ended(self, error: StormproofError | None = None) -> None:
        """Learn that nothing more will come, and why if that was not the end."""
        self._source = None  # it may serve another by now
        if self._leaving:
            self._leaving.cancel()
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
