"""For how long a callee asked to be left alone, as all processes know that share its circuit."""

from collections.abc import Callable
from typing import Final

from stormproof.recovery.clock import current_clock


class SharedRest:
    """What any of the processes was told; safe between threads.

    Args:
        tell: Has the others hear for how many seconds it is to rest; 0 ends it.
    """

    __slots__ = ("_heard_at", "_tell", "_until")

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell: Final = tell
        self._heard_at = self._until = 0.0

    def left(self) -> float:
        """Return the seconds that are left of it, 0 if it does not rest."""
        return max(self._until - current_clock().now(), 0.0) if self._until else 0.0

    def heard(self, seconds: float) -> None:
        """Take note of what the store says is left of it."""
        now = current_clock().now()
        if not self._until:
            self._heard_at = now
        self._until = now + seconds if seconds else 0.0

    def ask(self, seconds: float) -> None:
        """Let it begin, for so many seconds from now on."""
        self._heard_at = current_clock().now()
        self._until = self._heard_at + seconds
        self._tell(seconds)

    def answered(self, began: float) -> None:
        """Take note of an answer; to a call that began while it rested, it is the end of that."""
        if self.left() and began >= self._heard_at:
            self._until = 0.0
            self._tell(0.0)
