"""A bounded table whose keys come from outside.

What to forget when it is full is decided as by a clock's hand (Corbató, "A Paging Experiment with
the Multics System", 1968): the hand goes round and takes out the first entry that was not used
again since it last came by, which comes close to the one used least recently. So using an entry
only sets a flag, without a lock, and keys that come once push out none that is in use.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import Final, Generic, TypeVar

from stormproof.errors import ConfigurationError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Entry(Generic[V]):
    """What a table has for one key.

    Attributes:
        value: The value.
        used: Whether it was used again since the hand last came by.
    """

    __slots__ = ("used", "value")

    def __init__(self, value: V) -> None:
        self.value: Final = value
        self.used = False


class KeyTable(Generic[K, V]):
    """Makes a value for each new key, and forgets old ones; safe between threads.

    Args:
        make: Makes the value of a key; called without a lock, so two may be made at once, of which
            one is kept.
        most: How many keys there are at most.
    """

    def __init__(self, make: Callable[[K], V], most: int) -> None:
        self._make: Final = make
        self._most: Final = most
        # From the hand on: the first one is the next it comes by.
        self._entries: Final[OrderedDict[K, Entry[V]]] = OrderedDict()
        # Reentrant, because the garbage collector may run somebody's finalizer, and so a guarded
        # call, at any point of this thread.
        self._lock: Final = RLock()

    def entry(self, key: K) -> Entry[V]:
        """Return the entry of ``key``, a new one if there is none.

        Raises:
            ConfigurationError: The key cannot be hashed.
        """
        try:
            entry = self._entries.get(key)
        except TypeError as error:
            reason = f"it returned a value that cannot be hashed: {type(key).__name__}"
            raise ConfigurationError(setting="key", reason=reason) from error
        if entry is None:
            return self._add(key, Entry(self._make(key)))
        entry.used = True
        return entry

    def values(self) -> dict[K, V]:
        """Return the value of every key there is now."""
        with self._lock:
            return {key: entry.value for key, entry in self._entries.items()}

    def _add(self, key: K, entry: Entry[V]) -> Entry[V]:
        with self._lock:
            if key not in self._entries:
                while len(self._entries) >= self._most:
                    self._advance()
                self._entries[key] = entry
            return self._entries[key]

    def _advance(self) -> None:
        """Move the hand on by one entry, and take that out if it is out of use."""
        for key, entry in self._entries.items():
            if entry.used:
                entry.used = False
                self._entries.move_to_end(key)  # at no time gone: it is looked up without a lock
            else:
                self._entries.pop(key, None)
            return
