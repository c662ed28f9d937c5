"""Which request killed the engine's process.

A process dies while it reads some positions of some requests. If it was one request alone, it may
be the culprit, or somebody pulled the plug; if the next process dies of the same positions, read
alone again, it is the culprit. If there were several, each of them is read alone from now on until
those positions are past, so that the next death tells. What comes before them is read apart from
them: a kill that hits a process while it catches up speaks against nobody.

So a request is never refused for what others did, nor for kills that come from outside, unless two
of them hit the very positions of one request that is read alone.
"""

from dataclasses import dataclass
from typing import Final

ENOUGH: Final = 2
"""How many deaths convict."""


@dataclass(slots=True)
class Suspicion:
    """What speaks against one request.

    Attributes:
        positions: What was being read of it when a process died.
        deaths: How often that happened while it was alone.
    """

    positions: range = range(0)
    deaths: int = 0

    def died(self, read: range, *, alone: bool) -> None:
        """Take note of a death.

        Args:
            read: The positions of this request that were being read.
            alone: Whether it was the only one.
        """
        shared = range(max(read.start, self.positions.start), min(read.stop, self.positions.stop))
        self.deaths = (self.deaths if shared else 0) + alone
        self.positions = shared or read

    def clear_before(self, position: int) -> None:
        """Acquit a request of which everything before a position has been read.

        What killed before anything was read is not over because something was.
        """
        if 0 < self.positions.stop <= position:
            self.positions = range(0)
            self.deaths = 0

    @property
    def proven(self) -> bool:
        """Whether the request is to be refused."""
        return self.deaths >= ENOUGH
