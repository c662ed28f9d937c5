"""Memory for packed weights, which another process can map instead of packing them again."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Final

import numpy as np

from stormproof.errors import OutOfMemory

SEAL_BYTES: Final = 32
FIRST: Final = 64
"""Where its content begins; before it there is the seal."""

_PROT_READ: Final = 1


class Arena:
    """Memory that is zero at first, and cannot be written to once it is sealed.

    The seal says whose content it is, and that it is whole: it is written last. Whoever dies
    before that leaves nothing that another process would take for weights, and no stray write of
    one that runs can damage what its successor is to run with.

    Args:
        size: Bytes.
        seal: What its content is made of, as a digest of 32 bytes.
        descriptor: Memory to share with other processes, as `shared_memory` gives it; None for
            memory of this process alone.

    Attributes:
        address: Where it lies in this process; a multiple of the size of a page.
        sealed: Whether it holds the whole content that the seal stands for.

    Raises:
        OutOfMemory: It does not fit.
    """

    def __init__(self, size: int, seal: bytes, descriptor: int | None = None) -> None:
        self._seal = seal
        try:
            memory = _private(size) if descriptor is None else _shared(descriptor, size, seal)
        except (OSError, OverflowError) as error:
            raise OutOfMemory from error
        self._octets = np.frombuffer(memory, np.uint8)
        self.address: int = self._octets.ctypes.data
        self.sealed = bytes(self._octets[:SEAL_BYTES]) == seal
        if self.sealed:
            self._protect()

    def close(self) -> None:
        """Says that its content is whole, and forbids to change it."""
        self._octets[:SEAL_BYTES] = np.frombuffer(self._seal, np.uint8)
        self._protect()
        self.sealed = True

    def _protect(self) -> None:
        libc = ctypes.CDLL(None)
        arguments = (ctypes.c_void_p(self.address), ctypes.c_size_t(self._octets.size))
        libc.mprotect(*arguments, _PROT_READ)


def shared_memory() -> int | None:
    """A descriptor of memory that processes can share, or None where there is no such thing.

    It is empty; the first `Arena` gives it its size. It takes up room until the last process that
    has it closes it.
    """
    if not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("stormproof-weights")


def _private(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # matrices are read from end to end, again and again
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _shared(descriptor: int, size: int, seal: bytes) -> mmap.mmap:
    if os.fstat(descriptor).st_size != size or os.pread(descriptor, SEAL_BYTES, 0) != seal:
        os.ftruncate(descriptor, 0)  # what there was becomes zero
        os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size)
