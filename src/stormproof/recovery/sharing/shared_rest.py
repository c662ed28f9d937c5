"""A callee's rest that all processes keep which share its circuit."""

from collections.abc import Callable
from typing import Final

from stormproof.recovery.circuits.rest import Rest
from stormproof.recovery.clock import current_clock


class SharedRest(Rest):
    """What this process asked for, or what it heard that others did: whichever is longer.

    Args:
        tell: Has the others hear for how many seconds it is to rest; 0 ends it.
    """

    __slots__ = ("_heard_at", "_heard_until", "_tell")

    def __init__(self, tell: Callable[[float], None]) -> None:
        super().__init__()
        self._tell: Final = tell
        self._heard_at = self._heard_until = 0.0

    def left(self) -> float:
        """Return the seconds that are left of it, 0 if it does not rest."""
        heard = self._heard_until - current_clock().now() if self._heard_until else 0.0
        return max(super().left(), heard)

    def heard(self, seconds: float) -> None:
        """Take note of what the store says is left of it."""
        if seconds and not self._heard_until:
            self._heard_at = current_clock().now()
        self._heard_until = current_clock().now() + seconds if seconds else 0.0

    def ask(self, seconds: float) -> None:
        """Let it begin, for so many seconds from now on."""
        super().ask(seconds)
        self._tell(seconds)

    def answered(self, began: float) -> None:
        """Take note of an answer; to a call that began while it rested, it is the end of that."""
        rests = (self._until or self._heard_until) and self.left()
        super().answered(began)
        if self._heard_until and began >= self._heard_at:
            self._heard_until = 0.0
        if rests and not self.left():
            self._tell(0.0)
