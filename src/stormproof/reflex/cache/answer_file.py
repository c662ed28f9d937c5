"""Answers in a file of SQLite's."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from stormproof.reflex.private_files import alone_with, make_private

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_PATIENCE: Final = 2.0
"""Seconds that a write waits for another process."""

_LOOK: Final = 20
"""Milliseconds that a look-up does: it blocks the event loop."""

_SHARE: Final = 10
"""What part of the answers goes, the oldest first, where there is no room."""

_SCHEMA: Final = """
PRAGMA user_version = 1;
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_expire ON answers (expires);
"""
"""The first line writes, whatever is there: who may only read the file learns it here."""


class Row(NamedTuple):
    """What is kept under a key.

    Attributes:
        value: That.
        expires: Until when; seconds since 1970.
    """

    value: bytes
    expires: float


class AnswerFile:
    """An open file; any number of processes may have it open.

    Args:
        path: The file.
        max_bytes: Room in it, without the log that SQLite keeps beside it.
        clock: Seconds since 1970.

    Raises:
        sqlite3.Error: It cannot be opened.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        make_private(path)
        self.inode: Final = path.stat().st_ino
        self._writing, self._reading = _connected(path), _connected(path)
        try:
            self._writing.execute("PRAGMA journal_mode = WAL")
            self._writing.execute("PRAGMA synchronous = NORMAL")  # whole, whatever is killed
            self._writing.execute("PRAGMA journal_size_limit = 8388608")
            self._writing.executescript(_SCHEMA)
            self._page_size = self._number("page_size")
            self.find(b"")  # opens the log beside it, before another file has one of that name
            self._reading.execute(f"PRAGMA busy_timeout = {_LOOK}")
        except BaseException:
            self.close()
            raise

    def find(self, key: bytes) -> bytes | None:
        """Return what is kept under a key.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        asked = "SELECT value FROM answers WHERE key = ? AND expires > ?"
        row = self._reading.execute(asked, (key, self._clock())).fetchone()
        return None if row is None else row[0]

    def write(self, rows: Mapping[bytes, Row]) -> None:
        """Keep what is told, in one transaction; what is over goes, then what is oldest.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        room = self._max_bytes - 2 * sum(len(row.value) for row in rows.values())
        with self._writing:
            self._writing.execute("BEGIN IMMEDIATE")
            self._writing.execute("DELETE FROM answers WHERE expires <= ?", (self._clock(),))
            while self._bytes() > room and self._thin_out():
                pass
            self._writing.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                [(key, *row) for key, row in rows.items()],
            )

    def close(self) -> None:
        """Close it."""
        self._reading.close()
        self._writing.close()

    def _thin_out(self) -> bool:
        """Forget the oldest answers; whether there were any."""
        [count] = self._writing.execute("SELECT count(*) FROM answers").fetchone()
        oldest = "SELECT rowid FROM answers ORDER BY rowid LIMIT ?"
        self._writing.execute(
            f"DELETE FROM answers WHERE rowid IN ({oldest})",  # noqa: S608 - no value is in it
            (count // _SHARE + 1,),
        )
        return bool(count)

    def _bytes(self) -> int:
        pages = self._number("page_count") - self._number("freelist_count")
        return pages * self._page_size

    def _number(self, pragma: str) -> int:
        [number] = self._writing.execute(f"PRAGMA {pragma}").fetchone()
        return int(number)


class Opened(NamedTuple):
    """A file that was opened.

    Attributes:
        file: The file.
        aside: What the one is called now that was damaged, and stood in its place; None if none
            did.
    """

    file: AnswerFile
    aside: str | None


def opened(
    path: Path, *, max_bytes: int, clock: Callable[[], float], damaged: int | None = None
) -> Opened:
    """Open a file, or begin another where that is damaged.

    Args:
        path: As for `AnswerFile`.
        max_bytes: As for `AnswerFile`.
        clock: As for `AnswerFile`.
        damaged: The inode of one that was found to be; another process may have replaced it since.

    Raises:
        sqlite3.Error: It cannot be opened.
        OSError: The same.
    """
    with alone_with(path):
        aside = None
        if damaged is not None and path.exists() and path.stat().st_ino == damaged:
            aside = _set_aside(path)
        try:
            return Opened(AnswerFile(path, max_bytes=max_bytes, clock=clock), aside)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        aside = _set_aside(path)
        return Opened(AnswerFile(path, max_bytes=max_bytes, clock=clock), aside)


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is no database, or not a whole one."""
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, sqlite3.DatabaseError) and code & 0xFF in _DAMAGED


def _set_aside(path: Path) -> str:
    """Rename a file, in place of one that was before; what it needs goes along."""
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    return aside.name


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
