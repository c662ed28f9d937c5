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
        """Return below which time that share of the texts stays; of each, the middle one."""
        middles = sorted(statistics.median(times) for times in zip(*self.rounds, strict=True))
        return middles[min(int(share * len(middles)), len(middles) - 1)]
