"""Whether somebody else could answer, so that nobody has to wait for the one who cannot.

A failover says so around each target that it asks; a retry inside, whose dependency asks for a
wait, hears it and gives up at once. Only failures look here.
"""

from contextvars import ContextVar, Token
from typing import Final, Protocol, TypeAlias


class Successor(Protocol):
    """Somebody who may go on with a call that failed."""

    def takes_over(self, error: Exception) -> bool:
        """Whether it would go on with a call that failed with ``error``, and could answer now."""


Offer: TypeAlias = list[Successor]
"""Who offers to go on; to be emptied when that is over, as a task begun inside may outlive it."""

_offered: Final[ContextVar[Offer | None]] = ContextVar("stormproof.handover", default=None)


def offer(one: Offer) -> Token[Offer | None]:
    """Make an offer for failures in this context, to which it adds those further out."""
    outer = _offered.get()
    if outer:
        one += outer
    return _offered.set(one)


withdraw: Final = _offered.reset
"""End an offer in this context; takes the token that it gave."""


def would_be_taken_over(error: Exception) -> bool:
    """Whether somebody waits who would go on if this call failed with ``error`` now."""
    return any(successor.takes_over(error) for successor in _offered.get() or ())
