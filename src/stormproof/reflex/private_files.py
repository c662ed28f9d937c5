"""Files that processes of one owner share: nobody else reads them, and one opens them at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock

_PATIENCE: Final = 10.0
"""Seconds to wait for the others."""


def make_private(file: Path) -> None:
    """Make a file for its owner alone, unless it is there.

    One that is there is not even opened: when it is closed, POSIX ends the locks that SQLite has on
    it in this process.

    Raises:
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Be the only one with a file, of all who ask for that; it is made if it is not there.

    The lock beside it does not stay.

    Raises:
        OSError: It or its lock cannot be made, or somebody has held that for too long.
    """
    make_private(file)
    lock = FileLock(f"{file}.lock", timeout=_PATIENCE, mode=0o600)
    with lock:
        try:
            yield
        finally:
            # Last, and while it is held: who makes another now is alone again, and who waits for
            # this one sees that it is gone when he has got it, and begins anew.
            Path(lock.lock_file).unlink(missing_ok=True)
