"""Lines that outlive this process as soon as they are added.

What is written belongs to the operating system, whatever kills the process. One write(2), its line
made, takes 1.5 µs of the event loop. A commit to SQLite takes 11 µs, one for eight rows together
16, and sometimes it waits for another writer of the file, or for the disk; one to a server waits
for the network each time. So rows go there later, from a thread.

A journal is one process's, which holds its lock while it lives, so that others can tell what a dead
one has left.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from filelock import FileLock, Timeout

from stormproof.errors import translate

_SUFFIX: Final = ".jsonl"
_CLOSED: Final = -1
_CHUNK: Final = 4 << 20
"""Bytes that are read at once."""


class Journal:
    """A file of lines, to which this process adds, one thread at a time.

    Args:
        folder: Where it is made.
        most: Bytes that it may have.

    Attributes:
        path: Where it is; nobody else's has that name.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, folder: Path, *, most: int) -> None:
        self.path: Final = folder / f"{secrets.token_hex(12)}{_SUFFIX}"
        self._most = most
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock_of(self.path)
            self._lock.acquire()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._file = os.open(self.path, flags, 0o600)
        except OSError as error:
            known = translate(error)
            known.operation = "open a journal of usage"
            raise known from error
        self.size = 0

    def add(self, line: bytes) -> bool:
        """Add a line, and return whether there was room for it."""
        if self.size + len(line) > self._most:
            return False
        try:
            written = os.write(self._file, line)
        except OSError:
            return False
        if written < len(line):  # the disk is full
            os.ftruncate(self._file, self.size)
            return False
        self.size += written
        return True

    def close(self) -> None:
        """Let go of it: now it is one of those that `remains` yields."""
        os.close(self._file)
        self._file = _CLOSED  # another file may get its number
        self._lock.release()


def remains(folder: Path) -> Iterator[Path]:
    """Yield the journals that nobody holds, each held until the next, to be read and removed."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        lock = _lock_of(path)
        try:
            lock.acquire()
        except Timeout:
            continue  # its process lives, or another reads it
        try:
            if path.exists():
                yield path
            if not path.exists():  # any more: nobody will ask for it again
                Path(lock.lock_file).unlink(missing_ok=True)
        finally:
            lock.release()


class Lines(NamedTuple):
    """Some lines of a journal.

    Attributes:
        lines: Those, without their ends.
        end: Where the next one begins.
    """

    lines: list[bytes]
    end: int


def lines_from(path: Path, start: int) -> Lines:
    """Return whole lines of a journal from a place on, as many as are entered at once."""
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(_CHUNK)
    whole = content[: content.rfind(b"\n") + 1]
    return Lines(whole.split(b"\n")[:-1], start + len(whole))


def _lock_of(path: Path) -> FileLock:
    return FileLock(f"{path}.lock", blocking=False, thread_local=False)
