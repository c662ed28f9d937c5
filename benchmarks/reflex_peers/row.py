"""What was measured of one searcher."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from reflex_peers.searcher import Searcher

_TIMES: Final = 5


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
        """Search all texts once more: each several times, of which the shortest counts.

        Each time its beginning stands a character nearer to its end: stages know what they saw.
        """
        turned = [text[n:] + text[:n] for text in texts for n in range(_TIMES)]
        searches = self.searcher.search(turned)
        seconds = [search.seconds for search in searches]
        self.rounds.append([min(seconds[n : n + _TIMES]) for n in range(0, len(turned), _TIMES)])
        self.refused = self.refused or any(search.refused for search in searches)

    def percentile(self, share: float) -> float:
        """Return below which time that share of the texts stays, in the middle of the rounds."""
        return statistics.median(_percentile(seconds, share) for seconds in self.rounds)


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
