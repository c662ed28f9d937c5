"""The last known state of every circuit."""

from typing import Final

from stormproof.recovery import (
    CircuitClosed,
    CircuitFollowed,
    CircuitHalfOpened,
    CircuitOpened,
    CircuitState,
    Event,
)
from stormproof.signals.levels import Levels
from stormproof.signals.tally import Tally

NUMBERS: Final = {
    CircuitState.CLOSED: 0,
    CircuitState.HALF_OPEN: 1,
    CircuitState.OPEN: 2,
    CircuitState.ISOLATED: 3,
}
"""What the gauge shows: the more, the worse."""


class CircuitStates:
    """Follows circuits by their transitions; one that never moved is not known."""

    def __init__(self) -> None:
        self.states: Final = Levels()
        self.transitions: Final = Tally()

    def hear(self, event: Event) -> bool:
        """Take note of an event, and tell whether it was about the state of a circuit."""
        if isinstance(event, CircuitFollowed):
            self.states.set(event.strategy, NUMBERS[event.state])
            return True
        state = _state_after(event)
        if state is None:
            return False
        self.transitions.count(event.strategy, state.value)
        self.states.set(event.strategy, NUMBERS[state])
        return True


def _state_after(event: Event) -> CircuitState | None:
    if isinstance(event, CircuitOpened):
        by_hand = event.retry_after is None
        return CircuitState.ISOLATED if by_hand else CircuitState.OPEN
    if isinstance(event, CircuitHalfOpened):
        return CircuitState.HALF_OPEN
    return CircuitState.CLOSED if isinstance(event, CircuitClosed) else None
