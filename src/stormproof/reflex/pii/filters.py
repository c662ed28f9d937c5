"""What a text passes in pieces on its way out."""

from collections.abc import Sequence
from typing import Protocol


class Filter(Protocol):
    """Takes one text in pieces, and says what of it may go out."""

    def push(self, text: str) -> str:
        """Take a piece, and return what is sure by now."""
        ...

    def rest(self) -> str:
        """Return what is left when no piece comes any more."""
        ...


class Chain:
    """Filters one behind the other.

    Args:
        filters: In the order in which a text passes them.
    """

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters

    def push(self, text: str) -> str:
        """Take a piece, and return what is sure by now."""
        for one in self._filters:
            text = one.push(text)
        return text

    def rest(self) -> str:
        """Return what is left when no piece comes any more."""
        text = ""
        for one in self._filters:
            text = one.push(text) + one.rest()
        return text
