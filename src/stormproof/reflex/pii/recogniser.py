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


def stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether what begins and ends with digits is no piece of a word or a longer number."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return not (
        before[-1:].isalnum()
        or after[:1].isalnum()
        or (before[-1:] in _JOINS and before[:1].isalnum() and len(before) > 1)
        or (after[:1] in _JOINS and after[1:].isalnum())
    )


_JOINS = frozenset(".-/")
