"""What the engine's process is reading, legible when it is dead.

Shared memory: a count, then for each request that takes part in the forward pass its number and the
positions that are read. Writing it takes microseconds, and no death can lose it.
"""

import mmap
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_COUNT: Final = struct.Struct("q")
_READING: Final = struct.Struct("qqq")


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
    """The memory; one process writes it, another reads it.

    Args:
        fd: A file that both have open, which `create` has given its size.
    """

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, 0)
        self._most = (len(self._memory) - _COUNT.size) // _READING.size

    @classmethod
    def create(cls, fd: int, most: int) -> "StepRecord":
        """Make an empty file the memory.

        Args:
            fd: The file.
            most: How many requests may take part in a forward pass.
        """
        os.ftruncate(fd, _COUNT.size + most * _READING.size)
        return cls(fd)

    def write(self, readings: Iterable[Reading]) -> None:
        """Record that these are being read."""
        self.clear()  # whoever dies in between has read nothing
        numbers = [number for reading in readings for number in reading]
        struct.pack_into(f"{len(numbers)}q", self._memory, _COUNT.size, *numbers)
        _COUNT.pack_into(self._memory, 0, len(numbers) // len(Reading._fields))

    def clear(self) -> None:
        """Record that nothing is being read."""
        _COUNT.pack_into(self._memory, 0, 0)

    def read(self) -> list[Reading]:
        """Return what was being read when the writer died."""
        (count,) = _COUNT.unpack_from(self._memory)
        if not 0 <= count <= self._most:  # the writer's memory was damaged
            return []
        end = _COUNT.size + count * _READING.size
        return [
            Reading(*fields) for fields in _READING.iter_unpack(self._memory[_COUNT.size : end])
        ]

    def close(self) -> None:
        """Let the memory go."""
        self._memory.close()
