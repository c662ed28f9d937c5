"""How long a process may take to load."""

from typing import Final

_LONGEST: Final = 300.0
"""Seconds without a word: the disk may be slow, or somebody else's."""
_LEAST: Final = 10.0
_SLOWER: Final = 2.0
"""How many times longer than before it may take: others may use the machine."""


class StartDeadline:
    """For how long a process may say nothing while it loads.

    The first gets minutes. Clients wait for those that replace it: they are known to need no more
    than it needed. Should they need more after all, each that fails leaves more time to the next.

    Args:
        step_deadline: Seconds that each may take, and ten at least.

    Attributes:
        seconds: For how long.
    """

    def __init__(self, step_deadline: float) -> None:
        self.seconds = _LONGEST
        self._least = max(step_deadline, _LEAST)
        self._needed = 0.0

    def kept(self, silence: float) -> None:
        """Take note of a process that has loaded.

        Args:
            silence: For how many seconds it said nothing at most.
        """
        self._needed = max(self._needed, silence)
        self.seconds = min(max(self._least, _SLOWER * self._needed), _LONGEST)

    def missed(self) -> None:
        """Take note of one that did not load in time."""
        self.seconds = min(2 * self.seconds, _LONGEST)
