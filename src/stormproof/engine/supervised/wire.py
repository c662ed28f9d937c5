"""Messages between the server and its engine's process, on a stream socket.

A message is a pickle after its length. Both ends are ours, and run as the same user: pickle is not
a door that another format would shut. What arrives damaged, because the process that wrote it was,
is an error of the connection and of nothing else.
"""

import pickle
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

from stormproof.errors import ProtocolError

_LENGTH: Final = Struct("<I")
_LONGEST: Final = 1 << 28


def encode(message: object) -> bytes:
    """Return the bytes of a message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Puts messages together from the bytes of a stream."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[Any]:
        """Yield the messages that are complete now.

        Raises:
            ProtocolError: The bytes are not messages.
        """
        self._bytes += received
        while (end := self._end()) is not None:
            body = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield _decoded(body)

    def _end(self) -> int | None:
        """Return where the first message ends, if all of it is there."""
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if length > _LONGEST:
            raise ProtocolError(reason="the engine's process wrote what is no message")
        end: int = _LENGTH.size + length
        return end if len(self._bytes) >= end else None


def _decoded(body: bytes) -> Any:
    try:
        return pickle.loads(body)  # noqa: S301 - see above
    except Exception as error:
        reason = "the engine's process wrote what cannot be read"
        raise ProtocolError(reason=reason) from error
