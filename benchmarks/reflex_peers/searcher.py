"""Who finds personal data in texts."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stormproof.reflex.pii.finding import Finding


class Search(NamedTuple):
    """What became of a text.

    Attributes:
        findings: What was found in it.
        seconds: Of processor time, that it took.
        refused: Whether it was turned away.
    """

    findings: Sequence[Finding]
    seconds: float
    refused: bool = False


class Searcher(Protocol):
    """One row of the tables."""

    @property
    def name(self) -> str:
        """Who it is."""
        ...

    def search(self, texts: Sequence[str]) -> Sequence[Search]:
        """Search texts, one after the other."""
        ...

    def close(self) -> None:
        """End."""
        ...
