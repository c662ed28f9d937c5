"""Files that are either whole or not there, and what the file system says when it cannot."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stormproof.errors import DiskFull, StorageError
from stormproof.weights.progress import PullProgress, Report, Stage

_CHUNK: Final = 1 << 20
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def storing(operation: str, path: Path) -> Iterator[None]:
    """Turn every ``OSError`` of the block into a typed error.

    Args:
        operation: What is being done, after "storage failed to".
        path: Where.

    Raises:
        DiskFull: No space or no quota is left.
        StorageError: Anything else the file system refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFull(operation=operation, path=str(path)) from error
        reason = error.strerror or type(error).__name__
        raise StorageError(operation=operation, reason=reason, path=str(path)) from error


def settle(written: Path, final: Path) -> None:
    """Give a finished file its final name, so that after a power cut it is whole or not there."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    written.replace(final)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sha256_of(path: Path, report: Report) -> str:
    """Return the SHA-256 of a file in hexadecimal, telling ``report`` how far the reading is.

    Raises:
        StorageError: The file cannot be read.
    """
    digest, done = hashlib.sha256(), 0
    for chunk, total in _chunks(path):
        digest.update(chunk)
        done += len(chunk)
        report(PullProgress(Stage.CHECKING, done, total))
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[tuple[bytes, int]]:
    """Read a file piece by piece, each with the size of the whole.

    A generator, so that only what the file fails at is translated, not what its reader does.
    """
    with storing("read the file", path), path.open("rb") as file:
        total = os.fstat(file.fileno()).st_size
        while chunk := file.read(_CHUNK):
            yield chunk, total
