"""Which request killed the engine's process.

A process dies while it reads some positions of some requests. If it was one request alone, it may
be the culprit, or somebody pulled the plug; if the next process dies of the same positions, read
alone again, it is the culprit. If there were several, each of them is read alone from now on until
those positions are past, so that the next death tells. What comes before them is read apart from
them: a kill that hits a process while it catches up speaks against nobody.

A process that was stopped from outside speaks against nobody. SIGKILL comes from outside as well,
but perhaps because the request needs too much memory: it takes one more of those.

So a request is never refused for what others did, nor for kills that come from outside, unless
three of them hit the very positions of one request that is read alone.
"""

from dataclasses import dataclass
from typing import Final

ENOUGH: Final = 2
"""How many deaths convict, if nobody else can have had a hand in them."""


@dataclass(slots=True)
class Suspicion:
    """What speaks against one request.

    Attributes:
        positions: What was being read of it when a process died.
        deaths: How often that happened while it was alone.
        killed: Whether somebody else may have been behind one of these.
    """

    positions: range = range(0)
    deaths: int = 0
    killed: bool = False

    def died(self, read: range, *, alone: bool, killed: bool = False) -> None:
        """Take note of a death.

        Args:
            read: The positions of this request that were being read.
            alone: Whether it was the only one.
            killed: Whether somebody else may have killed the process.
        """
        shared = range(max(read.start, self.positions.start), min(read.stop, self.positions.stop))
        if not shared:
            self._forget()
        self.deaths += alone
        self.killed |= alone and killed
        self.positions = shared or read

    def clear_before(self, position: int) -> None:
        """Acquit a request of which everything before a position has been read.

        What killed before anything was read is not over because something was.
        """
        if 0 < self.positions.stop <= position:
            self._forget()

    @property
    def proven(self) -> bool:
        """Whether the request is to be refused."""
        return self.deaths >= ENOUGH + self.killed

    def _forget(self) -> None:
        self.positions, self.deaths, self.killed = range(0), 0, False
