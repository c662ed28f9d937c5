"""What was measured of one searcher."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from reflex_peers.searcher import Searcher


@dataclass(slots=True)
class Row:
    """How long one took for texts.

    Attributes:
        searcher: Who.
        rounds: The seconds for each text, each time.
        refused: Whether any text was turned away.
    """

    searcher: Searcher
    rounds: list[list[float]] = field(default_factory=list)
    refused: bool = False

    def measure(self, texts: Sequence[str]) -> None:
        """Search all texts once more."""
        searches = self.searcher.search(texts)
        self.rounds.append([search.seconds for search in searches])
        self.refused = self.refused or any(search.refused for search in searches)

    def percentile(self, share: float) -> float:
        """Return below which time that share of the texts stays, in the middle of the rounds."""
        return statistics.median(_percentile(seconds, share) for seconds in self.rounds)


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
