"""Whether somebody else could answer, so that nobody has to wait for the one who cannot.

A failover says so around each target that it asks; a retry inside, whose dependency asks for a
wait, hears it and gives up at once. Only failures look here.
"""

from contextvars import ContextVar, Token
from typing import Final, NamedTuple, Protocol


class Successor(Protocol):
    """Somebody who may go on with a call that failed."""

    def takes_over(self, error: Exception) -> bool:
        """Whether it would go on with a call that failed with ``error``, and could answer now."""


_offer: Final[ContextVar[Successor | None]] = ContextVar("stormproof.handover", default=None)


class _Either(NamedTuple):
    """Offers in each other."""

    inner: Successor
    outer: Successor

    def takes_over(self, error: Exception) -> bool:
        return self.inner.takes_over(error) or self.outer.takes_over(error)


def offer(successor: Successor) -> Token[Successor | None]:
    """Have ``successor`` wait for failures in this context, beside those further out."""
    outer = _offer.get()
    return _offer.set(successor if outer is None else _Either(successor, outer))


withdraw: Final = _offer.reset
"""End an offer; takes the token that it gave."""


def would_be_taken_over(error: Exception) -> bool:
    """Whether somebody waits who would go on if this call failed with ``error`` now."""
    successor = _offer.get()
    return successor is not None and successor.takes_over(error)
