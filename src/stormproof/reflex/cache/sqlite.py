"""Answers on disk, which outlast this process and which others on the machine share."""

import sqlite3
import time
from asyncio import Future, get_running_loop, wait
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from stormproof.errors import CapacityExceeded, ServiceUnavailable
from stormproof.recovery import publish
from stormproof.reflex.cache.answer_file import AnswerFile, Opened, Row, is_damage, opened
from stormproof.reflex.cache.closing import closing
from stormproof.reflex.cache.events import CacheSetAside

_MOST_WAITING: Final = 8 << 20
"""Bytes that may wait for the disk."""


class SqliteAnswers:
    """Keeps answers in a file of SQLite's; an `AnswerStore` for one event loop.

    Look-ups read on the event loop, as they take some microseconds. What is to be written waits
    until one thread has written what came before, and is found meanwhile: a process that is killed
    loses what waited, and nothing else. A file that is damaged is set aside, and begun anew.

    Args:
        path: The file; its directory is there. Only its owner may read it.
        max_bytes: Room in it; what is oldest goes first.
        clock: Seconds since 1970.

    Raises:
        OSError: The file cannot be opened.
        sqlite3.Error: The same.
    """

    def __init__(
        self, path: Path, *, max_bytes: int = 1 << 30, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._open = partial(opened, path, max_bytes=max_bytes, clock=clock)
        self._file = _told(self._open())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stormproof-cache")
        self._waiting: dict[bytes, Row] = {}
        self._writing: dict[bytes, Row] = {}
        self._bytes = 0
        self._work: Future[Opened | None] | None = None
        self._damaged = False
        self._failure: Exception | None = None
        self._closer = closing(self._close)
        self._begun = False

    async def find(self, key: bytes) -> bytes | None:
        """Return what is kept under a key; see `AnswerStore`.

        Raises:
            sqlite3.Error: The file cannot be read.
            ServiceUnavailable: Another is begun in its place.
        """
        row = self._waiting.get(key) or self._writing.get(key)
        if row:
            return row.value if self._clock() < row.expires else None
        if self._damaged:
            raise ServiceUnavailable(reason="the file of the cache is replaced")
        try:
            return self._file.find(key)
        except sqlite3.DatabaseError as error:
            self._look_at(error)
            raise

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep a value; see `AnswerStore`.

        Raises:
            CapacityExceeded: The disk does not keep up.
            Exception: What came before could not be written.
        """
        if self._bytes + len(value) > _MOST_WAITING:
            raise CapacityExceeded(resource="writes of the cache", limit=_MOST_WAITING)
        if not self._begun:
            self._begun = True
            await anext(self._closer)
        self._waiting[key] = Row(value, self._clock() + seconds)
        self._bytes += len(value)
        self._go_on()
        failure, self._failure = self._failure, None
        if failure:
            raise failure

    async def aclose(self) -> None:
        """Write what waits, and close the file; the loop does so when it ends."""
        await self._closer.aclose()
        await self._close()

    async def _close(self) -> None:
        while self._work:
            await wait([self._work])
        self._thread.shutdown()
        self._file.close()

    def _go_on(self) -> None:
        """Have the thread do what there is to do, one thing at a time."""
        if self._work or not (self._damaged or self._waiting):
            return
        job: Callable[[], Opened | None]
        if self._damaged:
            job = partial(self._open, damaged=self._file.inode)
        else:
            self._writing, self._waiting, self._bytes = self._waiting, {}, 0
            job = partial(self._file.write, self._writing)
        self._work = get_running_loop().run_in_executor(self._thread, job)
        self._work.add_done_callback(self._done)

    def _done(self, work: Future[Opened | None]) -> None:
        self._work, self._writing = None, {}
        failure = work.exception()
        if failure:
            self._failure = failure if isinstance(failure, Exception) else None
            self._damaged = False
            self._look_at(failure)
        elif replaced := work.result():
            self._file.close()
            self._file, self._damaged = _told(replaced), False
        self._go_on()

    def _look_at(self, error: BaseException) -> None:
        """Begin another file, if an error says that this one is damaged."""
        if isinstance(error, Exception) and is_damage(error):
            self._damaged = True
            self._go_on()


def _told(found: Opened) -> AnswerFile:
    if found.aside:
        publish(CacheSetAside(pipeline="cache", strategy="cache", name=found.aside))
    return found.file
