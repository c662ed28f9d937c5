"""From journals into the book: each line once, whoever dies when."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from stormproof.recovery import publish
from stormproof.reflex.events import UsageLost
from stormproof.reflex.repeating import Repeating
from stormproof.reflex.usage.journal import Journal, lines_from, remains
from stormproof.reflex.usage.row import UsageRow, is_whole, line_of

_PERIOD: Final = 0.5
"""Seconds between two turns."""

_BETWEEN_ROUNDS: Final = 3600.0
"""Seconds between two looks for what others left, and for what is too old. Whoever follows a
process that died looks when it starts."""

_MOST_BYTES: Final = 256 << 20
"""Of a journal: a million requests and more, while there is no database."""

_LONG: Final = 8 << 20
"""Bytes after which another journal is begun."""


class UsageBook(Protocol):
    """Where usage is kept for good."""

    def taken(self, journal: str) -> int:
        """Return up to where a journal is in the book."""
        ...

    def take(self, journal: str, lines: Sequence[bytes], start: int, end: int) -> None:
        """Take lines of a journal, and remember up to where, both or neither.

        Raises:
            Conflict: The book has another idea of where they start.
        """
        ...

    def forget(self, journal: str) -> None:
        """Forget a journal that there is no longer."""
        ...

    def purge(self, now: float) -> None:
        """Drop what is too old, or too much."""
        ...


class UsageLedger:
    """Writes down what requests took, and enters it into a book on a thread of its own.

    While the book does not answer, lines wait in the journal. When that is full, what is new is
    lost, and told: what was written down before is never given up for it.

    Args:
        book: Where it is kept for good.
        folder: Where journals are; that of processes that died before is entered first.
        clock: Tells the time, in seconds since 1970.
        most_bytes: Of a journal.

    Raises:
        StormproofError: There can be no journal, or the book does not answer.
    """

    def __init__(
        self,
        book: UsageBook,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._book = book
        self._folder = folder
        self._clock = clock
        self._most_bytes = most_bytes
        self._guard = Lock()
        self._full = self._torn = self._told = 0
        self._last_round = -inf
        self._journal = Journal(folder, most=most_bytes)
        self._repeating = Repeating(self.enter, name="usage", period=_PERIOD)
        self._enter_remains()

    def record(self, row: UsageRow) -> None:
        """Write down what a request took: from now on it is safe from the end of this process."""
        line = line_of(row)
        with self._guard:
            if not self._journal.add(line):
                self._full += 1

    def start(self) -> None:
        """Enter what is written down into the book, from now on."""
        self._repeating.start()

    def close(self) -> None:
        """Enter what there is, and end; to be called when nothing is recorded any more.

        What the book does not take is entered by whoever has the same folder next.
        """
        self._repeating.close()
        self._repeating.turn()
        self._journal.close()
        with suppress(Exception):  # then the next one has to
            self._enter_remains()

    def enter(self) -> None:
        """Enter what was written down since the last turn; now and then, look round."""
        self._tell_lost()
        self._enter(self._journal.path)
        if self._journal.size >= _LONG:
            self._begin_another()
        now = self._clock()
        if abs(now - self._last_round) >= _BETWEEN_ROUNDS:  # it may have been set back
            self._enter_remains()
            self._book.purge(now)
            self._last_round = now

    def _begin_another(self) -> None:
        """Leave a journal to the next round, which is now: nobody writes it any more."""
        another = Journal(self._folder, most=self._most_bytes)
        with self._guard:
            old, self._journal = self._journal, another
        old.close()
        self._last_round = -inf

    def _enter_remains(self) -> None:
        for left in remains(self._folder):
            self._enter(left)
            left.unlink()
            self._book.forget(left.name)

    def _enter(self, path: Path) -> None:
        """Enter what a journal has and the book has not."""
        start = self._book.taken(path.name)
        while (found := lines_from(path, start)).end > start:
            whole = [line for line in found.lines if is_whole(line)]
            self._book.take(path.name, whole, start, found.end)
            self._torn += len(found.lines) - len(whole)
            start = found.end

    def _tell_lost(self) -> None:
        lost = self._full + self._torn
        if lost > self._told:
            publish(UsageLost(pipeline="usage", strategy="journal", rows=lost - self._told))
            self._told = lost
