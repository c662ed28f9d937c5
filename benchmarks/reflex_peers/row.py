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
    """

    searcher: Searcher
    rounds: list[list[float]] = field(default_factory=list)

    def measure(self, texts: Sequence[str]) -> None:
        """Search all texts once more."""
        self.rounds.append([search.seconds for search in self.searcher.search(texts)])

    def percentile(self, share: float) -> float:
        """Return below which time that share of the texts stays, in the middle of the rounds."""
        return statistics.median(_percentile(seconds, share) for seconds in self.rounds)

    def spread(self, share: float) -> float:
        """Return half the distance between the outermost rounds, of that percentile."""
        values = [_percentile(seconds, share) for seconds in self.rounds]
        return (max(values) - min(values)) / statistics.median(values) / 2


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
