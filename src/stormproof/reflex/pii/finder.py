"""Whoever finds personal data in a text."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Protocol

from stormproof.reflex.pii.finding import Finding


class Finder(Protocol):
    """Finds personal data: by its form, or by what the text says."""

    def find(self, text: str) -> Sequence[Finding]:
        """Return what is in a text, in its order; no two overlap."""
        ...


class QuickFinder(Finder, Protocol):
    """Finds personal data, and knows sooner that there is none."""

    def may_be_in(self, text: str) -> bool:
        """Return whether something may be in one of the lines of a text."""
        ...


def merged(certain: Sequence[Finding], likely: Iterable[Finding]) -> Sequence[Finding]:
    """Return findings of two in their order: the second's where the first has none.

    Args:
        certain: In their order; no two overlap.
        likely: No two overlap.
    """
    starts = [one.start for one in certain]
    added = [one for one in likely if not _overlaps(one, certain, starts)]
    return sorted([*certain, *added], key=lambda one: one.start) if added else certain


def _overlaps(one: Finding, others: Sequence[Finding], starts: Sequence[int]) -> bool:
    before = bisect_left(starts, one.end)
    return before > 0 and others[before - 1].end > one.start
