"""The chain of causes behind an error."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

LONGEST_CHAIN: Final = 16
"""How many causes of causes travel; the rest is cut."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what caused ``error``, nearest first, at most 16 deep; a circle is walked once."""
    seen = {id(error)}
    cause = error.__cause__
    while cause is not None and id(cause) not in seen and len(seen) <= LONGEST_CHAIN:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__


def link(error: BaseException, behind: Iterable[BaseException]) -> None:
    """Make the exceptions ``behind`` the causes of ``error``, nearest first, at most 16."""
    for cause in islice(behind, LONGEST_CHAIN):
        error.__cause__ = cause
        error = cause
