"""How long to wait before an engine that died is started again."""

from typing import Final

from stormproof.recovery import GrowingBreak

_HEALTHY: Final = 1.0
_HOPELESS: Final = 6
_SCAPEGOATS: Final = 16


class CrashLoop:
    """Counts lives that came to nothing.

    A life was worth it if it answered, or was ready to, for a second, or if a request was convicted
    of its death; what dies then is replaced at once. Of those that were not, the first is replaced
    at once too, and each one after it later than the one before. After several in a row it is clear
    that the engine does not come back by itself. It is as clear after many convictions if no step
    succeeded in between: so many requests cannot all be to blame.

    Args:
        waits: How long the pauses are.
    """

    def __init__(self, waits: GrowingBreak | None = None) -> None:
        self._waits = waits or GrowingBreak(first=0.1, factor=2, longest=10, jitter=0.5)
        self._wait = 0.0
        self._barren = 0
        self._convictions = 0

    @property
    def hopeless(self) -> bool:
        """Whether nobody should wait for the next start."""
        return self._barren >= _HOPELESS or self._convictions >= _SCAPEGOATS

    def died(
        self, *, steps: int, seconds: float, idle: bool = False, convicted: bool = False
    ) -> float:
        """Take note of a life that ended.

        Args:
            steps: How many it finished.
            seconds: How long it was ready.
            idle: Whether it was killed while it had nothing to do.
            convicted: Whether a request was found guilty of that.

        Returns:
            Seconds to wait before the next.
        """
        healthy = seconds >= _HEALTHY and (steps > 0 or idle)
        if steps or healthy:
            self._convictions = 0
        self._convictions += convicted
        self._barren = 0 if steps or healthy or convicted else self._barren + 1
        if healthy or convicted:
            self._wait = 0.0
        wait = self._waits.drawn(self._wait)
        self._wait = self._waits.following(self._wait)
        return wait
