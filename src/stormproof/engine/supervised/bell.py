"""Waking a thread that waits for file descriptors."""

import socket
from contextlib import suppress


class Bell:
    """A descriptor that becomes readable when somebody rings, from any thread."""

    def __init__(self) -> None:
        self._hears, self._rings = socket.socketpair()
        self._hears.setblocking(False)
        self._rings.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._hears.fileno()

    def ring(self) -> None:
        """Wake whoever waits, or will wait next."""
        with suppress(OSError):  # it rings already, loudly; or nobody waits any more
            self._rings.send(b"!")

    def silence(self) -> None:
        """Stop ringing."""
        with suppress(BlockingIOError):
            while self._hears.recv(1024):
                pass

    def close(self) -> None:
        """Let the descriptors go."""
        self._hears.close()
        self._rings.close()
