"""How long to wait before an engine that died is started again."""

from typing import Final

from stormproof.recovery import GrowingBreak

_HEALTHY: Final = 1.0
_HOPELESS: Final = 6


class CrashLoop:
    """Counts lives that came to nothing.

    A life was worth it if it answered, or was ready to, for a second; what dies after that is
    replaced at once. Of those that did not, the first is replaced at once too, and each one after
    it later than the one before. After several in a row it is clear that the engine does not come
    back by itself.

    Args:
        waits: How long the pauses are.
    """

    def __init__(self, waits: GrowingBreak | None = None) -> None:
        self._waits = waits or GrowingBreak(first=0.1, factor=2, longest=10, jitter=0.5)
        self._wait = 0.0
        self._barren = 0

    @property
    def hopeless(self) -> bool:
        """Whether nobody should wait for the next start."""
        return self._barren >= _HOPELESS

    def died(self, *, steps: int, seconds: float, idle: bool = False) -> float:
        """Take note of a life that ended.

        Args:
            steps: How many it finished.
            seconds: How long it was ready.
            idle: Whether it was killed while it had nothing to do.

        Returns:
            Seconds to wait before the next.
        """
        healthy = seconds >= _HEALTHY and (steps > 0 or idle)
        self._barren = 0 if steps or healthy else self._barren + 1
        if healthy:
            self._wait = 0.0
        wait = self._waits.drawn(self._wait)
        self._wait = self._waits.following(self._wait)
        return wait
