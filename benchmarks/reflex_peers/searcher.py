"""Who finds personal data in texts."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stormproof.reflex.pii.finding import Finding


class Search(NamedTuple):
    """What was found in a text, and how many seconds of processor time that took."""

    findings: Sequence[Finding]
    seconds: float


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
