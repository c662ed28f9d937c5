"""A file mapped into memory: what is not read of it takes up none."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

Octets: TypeAlias = "npt.NDArray[np.uint8]"


class MappedFile:
    """A file's bytes.

    Args:
        path: The file.

    Attributes:
        data: All of it.
        identity: Tells it from other files, and from what it was before it was changed.

    Raises:
        Unusable: It is empty.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if not state.st_size:
                raise Unusable(f"{path.name} is empty")
            self.data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.identity = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)

    def octets(self, start: int, size: int) -> Octets:
        """``size`` bytes from ``start`` on, which lie inside the file."""
        return np.frombuffer(self.data, np.uint8, size, start)
