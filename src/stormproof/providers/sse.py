"""Reading server-sent events (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stormproof.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        self._begun = False
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, received: bytes) -> Iterator[ServerEvent]:
        """Yield the events that are complete now.

        Raises:
            ProtocolError: One is longer than anybody would send.
        """
        lines = self._lines(received)
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield ServerEvent(self._kind.decode("utf-8", "replace") or "message", self._event())
                self._kind, self._data = b"", []
            else:
                self._kind = b""
        if lines:
            self._size = sum(map(len, (*self._rest, *self._data)))
        if self._size > _MOST:
            raise ProtocolError(reason=f"an event of the stream has more than {_MOST} bytes")

    def _event(self) -> bytes:
        return b"\n".join(self._data)

    def _lines(self, received: bytes) -> list[bytes]:
        """Return the lines that are complete; of a carriage return at the end nobody knows yet."""
        self._rest.append(received)
        if not self._holds_line(received):
            self._size += len(received)
            return []
        text = b"".join(self._rest)
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_MARK)
        held = b"\r" if text.endswith(b"\r") else b""
        if b"\r" in text:
            text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = [rest + held]
        return lines

    def _holds_line(self, received: bytes) -> bool:
        """Say whether a line may end here: to join all there is each time costs too much."""
        before = self._rest[-2] if len(self._rest) > 1 else b""
        return b"\n" in received or b"\r" in received or before.endswith(b"\r")

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._kind = value
