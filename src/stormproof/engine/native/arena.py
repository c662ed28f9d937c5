"""Memory for packed weights, which another process can map instead of packing them again."""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from stormproof.errors import OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAL_BYTES: Final = 32
FIRST: Final = 64
"""Where its content begins; before it there is the seal."""

_NO_SEAL: Final = bytes(SEAL_BYTES)
_PROT_READ: Final = 1
_SMALL: Final = 1 << 28


class Arena:
    """Memory that is zero at first, and cannot be written to once it is sealed.

    The seal says whose content it is, and that it is whole: it is written last. Whoever dies
    before that leaves nothing that another process would take for weights, and no stray write of
    one that runs can damage what its successor is to run with.

    Args:
        size: Bytes.
        seal: What its content is made of, as a digest of 32 bytes.
        descriptor: Memory to share with other processes, as `shared_memory` gives it. Where there
            is none, or other content is sealed in it, the memory is of this process alone.

    Attributes:
        sealed: Whether it holds the whole content that the seal stands for.

    Raises:
        OutOfMemory: It does not fit.
    """

    def __init__(self, size: int, seal: bytes, descriptor: int | None = None) -> None:
        self._seal = seal
        # Somebody may be running with what else is sealed there.
        self._shares = descriptor is not None and _seal_of(descriptor) in (seal, _NO_SEAL)
        with _fitting():
            if descriptor is not None and self._shares:
                memory = _shared(descriptor, size)
            else:
                memory = _private(size)
        self._octets = np.frombuffer(memory, np.uint8)
        self.sealed = bytes(self._octets[:SEAL_BYTES]) == seal
        if self.sealed:
            self._settle()

    @property
    def address(self) -> int:
        """Where it lies in this process: the beginning of a page. Sealing may move it."""
        address: int = self._octets.ctypes.data
        return address

    def close(self) -> None:
        """Says that its content is whole, and forbids to change it."""
        self._octets[:SEAL_BYTES] = np.frombuffer(self._seal, np.uint8)
        self.sealed = True
        self._settle()

    def _settle(self) -> None:
        # Linux gives shared memory no huge pages by default; a token takes a tenth longer then. A
        # copy of what is small costs less than that.
        if self._shares and self._octets.size <= _SMALL:
            with _fitting():
                copy = np.frombuffer(_private(self._octets.size), np.uint8)
            copy[:] = self._octets
            self._octets = copy
        libc = ctypes.CDLL(None)
        arguments = (ctypes.c_void_p(self.address), ctypes.c_size_t(self._octets.size))
        libc.mprotect(*arguments, _PROT_READ)


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError) as error:
        raise OutOfMemory from error


def _private(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # matrices are read from end to end, again and again
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _seal_of(descriptor: int) -> bytes:
    return os.pread(descriptor, SEAL_BYTES, 0) or _NO_SEAL


def _shared(descriptor: int, size: int) -> mmap.mmap:
    if _seal_of(descriptor) == _NO_SEAL:
        os.ftruncate(descriptor, 0)  # what somebody who died has left becomes zero
        os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size)
