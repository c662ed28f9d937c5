"""What was made of texts before, by which they need not be looked at again."""

from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_bytes
from threading import Lock
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Seen(Generic[T]):
    """Remembers something of texts, under keyed digests of them, which tell nothing of a text.

    Safe between threads.

    Args:
        most: How much is remembered; what was not asked for lately is forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._key: Final = token_bytes(32)
        self._lock: Final = Lock()
        self._memory: Final[dict[bytes, T]] = {}

    def mark(self, text: str) -> bytes:
        """Return the digest of a text."""
        encoded = text.encode("utf-8", "surrogatepass")
        return blake2b(encoded, key=self._key, digest_size=16).digest()

    def mark_all(self, texts: Iterable[str]) -> bytes:
        """Return the digest of several in their order; no other texts have the same."""
        return self.mark("".join([f"{len(text)}:{text}" for text in texts]))

    def recall(self, mark: bytes) -> T | None:
        """Return what is remembered."""
        with self._lock:
            made = self._memory.pop(mark, None)
            if made is not None:
                self._memory[mark] = made  # the last to be forgotten
        return made

    def keep(self, mark: bytes, made: T) -> None:
        """Remember something."""
        with self._lock:
            self._memory[mark] = made
            if len(self._memory) > self._most:
                del self._memory[next(iter(self._memory))]
