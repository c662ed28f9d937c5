"""For how long a callee asked to be left alone."""

from stormproof.recovery.clock import current_clock


class Rest:
    """What it asked for last; safe between threads."""

    __slots__ = ("_asked_at", "_until")

    def __init__(self) -> None:
        self._asked_at = self._until = 0.0

    def left(self) -> float:
        """Return the seconds that are left of it, 0 if it does not rest."""
        return max(self._until - current_clock().now(), 0.0) if self._until else 0.0

    def ask(self, seconds: float) -> None:
        """Let it begin, for so many seconds from now on."""
        self._asked_at = current_clock().now()
        self._until = self._asked_at + seconds

    def answered(self, began: float) -> None:
        """Take note of an answer; to a call that began while it rested, it is the end of that."""
        if self._until and began >= self._asked_at:
            self._until = 0.0
