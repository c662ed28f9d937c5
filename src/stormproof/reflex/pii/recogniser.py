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
        sign: What is in every text that has the form, for RE2, of characters that are in Latin-1.
            All signs are looked for at once, by one automaton: they have to be short, and count
            little, for that to remain small.
        form: The form, likewise.
        judge: Tells what those places are.
    """

    kinds: frozenset[Kind]
    sign: str
    form: str
    judge: Judge
