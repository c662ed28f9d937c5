"""The keys that were made here, in memory: no request waits for a database."""

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from stormproof.reflex.keys.key import Key
from stormproof.reflex.repeating import Repeating

_PERIOD: Final = 0.4
"""Seconds between two looks: what was revoked is so within a second, the look itself included."""


class KeyBook(Protocol):
    """Where keys are kept."""

    def revision(self) -> int:
        """Return a number that is another one after every change."""
        ...

    def keys(self) -> Iterable[Key]:
        """Return all keys, those that are good no longer among them."""
        ...


class IssuedKeys:
    """What is known of each key; looks for changes on a thread of its own.

    While the book cannot be read, it is as it was: keys expire, and none is made or revoked.

    Args:
        book: Where they are kept; read at once.
        clock: Tells the time, in seconds since 1970.

    Raises:
        StormproofError: It cannot be read.
    """

    def __init__(self, book: KeyBook, *, clock: Callable[[], float] = time.time) -> None:
        self._book = book
        self._clock = clock
        self._repeating = Repeating(self.look, name="keys", period=_PERIOD)
        self._read(book.revision())

    def start(self) -> None:
        """Look for changes from now on."""
        self._repeating.start()

    def close(self) -> None:
        """Look no more."""
        self._repeating.close()

    def look(self) -> None:
        """Read the keys again if they have changed."""
        revision = self._book.revision()
        if revision != self._revision:
            self._read(revision)

    def holder(self, digest: bytes) -> Key | None:
        """Return the key of a digest; None if there is none.

        Raises:
            Unauthorized: It is no longer good.
        """
        key = self._by_digest.get(digest)
        if key:
            key.check(self._clock())
        return key

    def named(self, name: str | None) -> Key | None:
        """Return the key of a name; None if none was made here that is called so."""
        return self._by_name.get(name)

    def _read(self, revision: int) -> None:
        """Read them; what changes meanwhile has another revision, and is read at the next look."""
        keys = list(self._book.keys())
        self._by_digest = {key.digest: key for key in keys}
        self._by_name: dict[str | None, Key] = {key.name: key for key in keys}
        self._revision = revision
