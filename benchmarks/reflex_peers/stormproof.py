"""Ours: the detector, and the stages as the gateway has them."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from reflex_peers.searcher import Search
from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.finding import Finding


class Ours:
    """One function of ours that looks at a text.

    Args:
        name: What it is.
        look: It; what it finds counts where it says that.
    """

    def __init__(self, name: str, look: Callable[[str], Sequence[Finding]]) -> None:
        self.name: Final = name
        self._look = look

    def search(self, texts: Sequence[str]) -> Sequence[Search]:
        """Look at texts, one after the other."""
        return [self._timed(text) for text in texts]

    def _timed(self, text: str) -> Search:
        begun = time.process_time()
        found = self._look(text)
        return Search(found, time.process_time() - begun)

    def close(self) -> None:
        """Do nothing: it is not a process."""


def rows() -> list[Ours]:
    """Return what is measured of ours; the first is what finds."""
    return [Ours("stormproof, PII", Detector().find)]
