"""The last known state of every circuit."""

from threading import RLock
from typing import Final

from stormproof.recovery import (
    CircuitClosed,
    CircuitHalfOpened,
    CircuitOpened,
    CircuitState,
    Event,
)
from stormproof.signals.tally import MOST_LABEL_SETS, Tally, label

NUMBERS: Final = {
    CircuitState.CLOSED: 0,
    CircuitState.HALF_OPEN: 1,
    CircuitState.OPEN: 2,
    CircuitState.ISOLATED: 3,
}
"""What the gauge shows: the more, the worse."""


class CircuitStates:
    """Follows circuits by their transitions; one that never moved is not known.

    There is no common place for the states of circuits beyond the limit, since states do not add
    up: their transitions are counted, their states are not shown.
    """

    def __init__(self) -> None:
        self._lock: Final = RLock()
        self._states: dict[str, CircuitState] = {}
        self.transitions: Final = Tally()

    def hear(self, event: Event) -> bool:
        """Take note of an event, and tell whether it was a transition."""
        state = _state_after(event)
        if state is None:
            return False
        self.transitions.count(event.strategy, state.value)
        circuit = label(event.strategy)
        with self._lock:
            if circuit in self._states or len(self._states) < MOST_LABEL_SETS:
                self._states[circuit] = state
        return True

    def states(self) -> dict[str, CircuitState]:
        """Return the last state of each circuit."""
        with self._lock:
            return dict(self._states)


def _state_after(event: Event) -> CircuitState | None:
    if isinstance(event, CircuitOpened):
        by_hand = event.retry_after is None
        return CircuitState.ISOLATED if by_hand else CircuitState.OPEN
    if isinstance(event, CircuitHalfOpened):
        return CircuitState.HALF_OPEN
    return CircuitState.CLOSED if isinstance(event, CircuitClosed) else None
