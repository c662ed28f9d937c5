"""Reading server-sent events (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import Final, NamedTuple

from stormproof.errors import ProtocolError

_MOST: Final = 16 << 20
"""Bytes of an event; a whole picture may be in one."""

_MARK: Final = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """What a server sent.

    Attributes:
        kind: What it calls the event; ``message`` unless it says so.
        data: The lines of its data, without the last line's end.
    """

    kind: str
    data: bytes


class EventDecoder:
    """Puts events together from bytes, however those are cut. What has no end is no event."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._begun = False
        self._after_return = False

    def feed(self, received: bytes) -> list[ServerEvent]:
        """Return the events that are complete now.

        Raises:
            ProtocolError: One is longer than anybody would send.
        """
        text = self._in_lines(received)
        if not text:
            return []
        before = self._rest[-1] if self._rest else b""
        self._rest.append(text)
        self._size += len(text)
        # To join all there is each time costs too much.
        if b"\n\n" in text or (text.startswith(b"\n") and before.endswith(b"\n")):
            return self._events()
        if self._size > _MOST:
            raise ProtocolError(reason=f"an event of the stream has more than {_MOST} bytes")
        return []

    def _in_lines(self, received: bytes) -> bytes:
        """Return what came with every line ended alike."""
        if self._after_return:
            received = received.removeprefix(b"\n")
        if b"\r" in received:
            self._after_return = received.endswith(b"\r")
            return received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._after_return = False
        return received

    def _events(self) -> list[ServerEvent]:
        text = b"".join(self._rest)
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_MARK)
        *blocks, rest = text.split(b"\n\n")
        self._rest, self._size = [rest], len(rest)
        return [event for event in map(_event, blocks) if event]


def _event(block: bytes) -> ServerEvent | None:
    """Return the event that some lines are; nothing without data."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return ServerEvent("message", block[6:])  # nearly all are like that
    kind, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            kind = value
    if not data:
        return None
    return ServerEvent(kind.decode("utf-8", "replace") or "message", b"\n".join(data))
