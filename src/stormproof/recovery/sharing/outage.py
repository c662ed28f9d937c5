"""Whether something out of reach is tried again yet, and by whom."""

from enum import Enum
from threading import RLock
from typing import Final

from stormproof.recovery.clock import current_clock


class Leave(Enum):
    """What a call may do about something that may be out of reach."""

    GO = "go"
    TRY = "try"
    """It is out of reach, and this one call finds out whether it still is."""
    STAY = "stay"


class Outage:
    """One lasting loss out of many failing calls: it costs one call its time now and then.

    Args:
        retry_after: Seconds between two calls that try again.
    """

    __slots__ = ("_lock", "_retry_after", "_try_at", "count", "lasts")

    def __init__(self, retry_after: float) -> None:
        self._retry_after: Final = retry_after
        self._lock: Final = RLock()  # reentrant: a finalizer may run at any point of this thread
        self._try_at = 0.0
        self.lasts = False
        self.count = 0

    def leave(self) -> Leave:
        """Return what the call that asks may do; of those that come in time one may try."""
        if not self.lasts:
            return Leave.GO
        with self._lock:
            now = current_clock().now()
            if now < self._try_at:
                return Leave.STAY
            self._try_at = now + self._retry_after
            return Leave.TRY

    def begin(self) -> bool:
        """Take note of a failure; return whether it is the first."""
        with self._lock:
            began = not self.lasts
            self.lasts = True
            self.count += began
            self._try_at = current_clock().now() + self._retry_after
            return began

    def end(self) -> bool:
        """Take note that a call which tried got through; return whether that was news."""
        with self._lock:
            ended, self.lasts = self.lasts, False
            return ended
