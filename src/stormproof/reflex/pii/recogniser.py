"""One way of finding something: a form, and what has to be true of what has it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from stormproof.reflex.pii.finding import Finding, Kind

Judge: TypeAlias = Callable[[str, int, int], Iterable[Finding]]
"""Returns what there is to find in a text between two of its places."""


class Recogniser(NamedTuple):
    """A form that RE2 looks for, and a judge of each place that has it.

    Attributes:
        kinds: What the judge may find.
        expression: The form, for RE2, of characters that stand in Latin-1.
        judge: Tells what those places are.
    """

    kinds: frozenset[Kind]
    expression: str
    judge: Judge
