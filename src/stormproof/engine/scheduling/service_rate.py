"""How fast requests leave the engine, so that a refusal can say when to come back."""

from typing import Final

SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
_HALF_LIFE: Final = 30.0
_ENOUGH: Final = 10.0
"""Requests that must have left lately before what they took can be relied on."""


class ServiceRate:
    """Finished requests per second of work, the recent past counting most.

    Only time spent working counts, so an idle hour says nothing about the next busy one. Until
    something was measured, one request a second is assumed.
    """

    def __init__(self) -> None:
        self._seconds = 1.0
        self._finished = 1.0
        self._busy_seconds = 0.0

    def record(self, *, finished: int, seconds: float, busy: float = 1.0) -> None:
        """Take a step of work into account.

        Args:
            finished: Requests that ended in the step.
            seconds: How long the step took.
            busy: How many requests were worked on, as a share of those for which there is room.
        """
        faded = 0.5 ** (seconds / _HALF_LIFE)
        self._seconds = self._seconds * faded + seconds
        self._finished = self._finished * faded + finished
        self._busy_seconds = self._busy_seconds * faded + busy * seconds

    def wait_for(self, requests: int) -> float:
        """Estimate the seconds until this many requests have left, between 1 and 60."""
        if self._finished * LONGEST_WAIT <= requests * self._seconds:
            return LONGEST_WAIT
        return max(SHORTEST_WAIT, requests * self._seconds / self._finished)

    def least_wait(self, requests: int) -> float:
        """Return the seconds in which this many requests cannot leave; 0 unless that is certain.

        Half as long as they took lately, had there been as many at once as there is room for: an
        engine with little to do has requests leave one by one, and a full one in crowds.
        """
        if requests <= 0 or self._finished < _ENOUGH:
            return 0.0
        return requests * self._busy_seconds / self._finished / 2
