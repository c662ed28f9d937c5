"""For how long a callee asked to be left alone, as all processes know that share its circuit."""

from collections.abc import Callable
from typing import Final

from stormproof.recovery.circuits.rest import Rest
from stormproof.recovery.clock import current_clock


class SharedRest(Rest):
    """What any of the processes was told; safe between threads.

    Args:
        tell: Has the others hear for how many seconds it is to rest; 0 ends it.
    """

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[float], None]) -> None:
        super().__init__()
        self._tell: Final = tell

    def heard(self, seconds: float) -> None:
        """Take note of what the store says is left of it."""
        now = current_clock().now()
        if not self._until:
            self._asked_at = now
        self._until = now + seconds if seconds else 0.0

    def ask(self, seconds: float) -> None:
        """Let it begin, for so many seconds from now on."""
        super().ask(seconds)
        self._tell(seconds)

    def answered(self, began: float) -> None:
        """Take note of an answer; to a call that began while it rested, it is the end of that."""
        rested = self.left()
        super().answered(began)
        if rested and not self._until:
            self._tell(0.0)
