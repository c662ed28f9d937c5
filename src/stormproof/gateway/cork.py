"""Fewer and larger writes to clients."""

import asyncio
from typing import Any, Final

_MOST: Final = 1 << 16
"""Bytes that are held; the transport should learn soon that its client does not read."""


class Cork:
    """A transport that puts together what is written in one turn of the event loop.

    Each write is a system call, and mostly a packet: a head and its body are two, and of the events
    of a stream that came together each is one.

    Args:
        transport: What writes; all else that it can do is passed on to it.
        loop: Its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0
        self.is_closing = transport.is_closing  # asked after each answer: found at once

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, at the end of this turn."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST:
            self._flush()

    def close(self) -> None:
        """Write what is held, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self.is_closing():
            self._transport.write(b"".join(held))
