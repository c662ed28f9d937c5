"""Places of which there are as many as an estimate says."""

from typing import Final, NamedTuple

from stormproof.recovery.clock import current_clock
from stormproof.recovery.limits.limit_algorithms import LimitEstimate
from stormproof.recovery.limits.places import Places


class Resized(NamedTuple):
    """There are more places now, or fewer."""

    limit: int
    before: int


class ElasticPlaces(Places):
    """Places that become more or fewer with what is learned from the calls inside.

    Args:
        limit: How many there are to begin with.
        queue: How many may wait for one.
        estimate: How many there should be. It is asked under the lock of the places.
    """

    def __init__(self, limit: int, queue: int, estimate: LimitEstimate) -> None:
        super().__init__(limit, queue)
        self._update: Final = estimate.update

    def learn(self, began: float, running: int, dropped: bool = False) -> Resized | None:
        """Learn from a call that keeps its place; otherwise as ``learn_and_leave``."""
        seconds = current_clock().now() - began
        with self._lock:
            return self._follow(self._update(began, seconds, running, dropped))

    def learn_and_leave(self, began: float, running: int, dropped: bool = False) -> Resized | None:
        """Learn from a call that is over, and give its place back.

        Args:
            began: When it was let in.
            running: How many were inside then, itself included.
            dropped: Whether it was too much for the callee.

        Returns:
            How many places there are now, and how many before, if that is not the same.
        """
        seconds = current_clock().now() - began
        with self._lock:
            self.taken -= 1
            limit = self._update(began, seconds, running, dropped)
            if limit != self.limit:
                return self._follow(limit)
            if self.waiting:
                self._admit()
            return None

    def _follow(self, limit: int) -> Resized | None:
        before = self.limit
        self.resize(limit)
        return Resized(limit, before) if before != limit else None
