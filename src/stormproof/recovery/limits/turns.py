"""Somebody who waits for a place, and how the wait stands."""

from enum import Enum
from typing import Final

from stormproof.recovery.limits.bells import Bell
from stormproof.recovery.limits.priority import Priority


class TurnState(Enum):
    """How a wait stands."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    SHED = "shed"
    """Turned away for somebody more important."""


class Turn:
    """A thread or a task that waits.

    Args:
        priority: The more important, the sooner.
        bell: What wakes it.

    Attributes:
        priority: As given.
        state: Whether it waits still.
    """

    __slots__ = ("_bell", "priority", "state")

    def __init__(self, priority: Priority, bell: Bell) -> None:
        self.priority: Final = priority
        self.state = TurnState.WAITING
        self._bell: Final = bell

    def end(self, state: TurnState) -> bool:
        """End the wait; return whether anybody was there: an event loop may be closed by now."""
        try:
            self._bell.ring()
        except RuntimeError:
            return False
        self.state = state
        return True
