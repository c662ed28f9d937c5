"""Answers in the memory of this process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

_OVERHEAD: Final = 512
"""Bytes that an entry takes besides its value."""


class _Entry(msgspec.Struct, frozen=True, gc=False):
    value: bytes
    expires: float
    size: int


class MemoryAnswers:
    """Keeps answers in memory; the least recently used go first. Nobody waits for it.

    Args:
        max_bytes: Room for them.
        clock: Seconds.
    """

    def __init__(
        self, *, max_bytes: int = 64 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0

    def find(self, key: bytes) -> bytes | None:
        """Return what is kept under a key; see `AnswerStore`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry.expires:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep a value, unless it is larger than all the room; see `AnswerStore`."""
        if key in self._entries:
            self._drop(key)
        size = len(value) + _OVERHEAD
        if size > self._max_bytes:
            return
        self._entries[key] = _Entry(value, self._clock() + seconds, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _drop(self, key: bytes) -> None:
        self._bytes -= self._entries.pop(key).size
