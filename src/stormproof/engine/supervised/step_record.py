"""What the engine's process is reading, legible when it is dead.

A page of shared memory: a count, then for each request that takes part in the forward pass its
number and the positions that are read. Writing it takes microseconds, and no death can lose it.
"""

import mmap
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_WORD: Final = 8
_MOST_REQUESTS: Final = 8192


class Reading(NamedTuple):
    """A request that takes part in a forward pass.

    Attributes:
        number: What the server calls it.
        begin: First position that is read.
        end: One past the last.
    """

    number: int
    begin: int
    end: int


class StepRecord:
    """The page; one process writes it, another reads it.

    Args:
        fd: A file that both have open, of ``StepRecord.SIZE`` bytes.
    """

    SIZE: Final = _WORD * (1 + _MOST_REQUESTS * len(Reading._fields))

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, self.SIZE)

    @classmethod
    def create(cls, fd: int) -> "StepRecord":
        """Make an empty file the page."""
        os.ftruncate(fd, cls.SIZE)
        return cls(fd)

    def write(self, readings: Iterable[Reading]) -> None:
        """Record that these are being read."""
        self.clear()  # whoever dies in between has read nothing
        numbers = [number for reading in readings for number in reading]
        struct.pack_into(f"{len(numbers)}q", self._page, _WORD, *numbers)
        struct.pack_into("q", self._page, 0, len(numbers) // len(Reading._fields))

    def clear(self) -> None:
        """Record that nothing is being read."""
        struct.pack_into("q", self._page, 0, 0)

    def read(self) -> list[Reading]:
        """Return what was being read when the writer died."""
        (count,) = struct.unpack_from("q", self._page)
        if not 0 <= count <= _MOST_REQUESTS:  # the writer's memory was damaged
            return []
        fields = struct.iter_unpack("qqq", self._page[_WORD : _WORD * (1 + 3 * count)])
        return [Reading(*reading) for reading in fields]

    def close(self) -> None:
        """Let the page go."""
        self._page.close()
