"""Which of several healthy targets is asked first."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, TypeAlias

from stormproof.recovery.clock import current_clock
from stormproof.recovery.targets.target import Route

_EXPLORED: Final = 0.02
"""The part of the calls that goes to any target: one that got faster has to be noticed."""

Pick: TypeAlias = Callable[[Sequence[Route]], Route]


class FailoverOrder(Enum):
    """In which order the healthy targets of a failover are asked."""

    LISTED = "listed"
    WEIGHTED = "weighted"
    FASTEST = "fastest"

    def __repr__(self) -> str:
        return str(self)

    @property
    def pick(self) -> Pick:
        """What chooses one of the healthy targets that are left, which are in listed order."""
        return _PICKS[self]


def _listed(routes: Sequence[Route]) -> Route:
    return routes[0]


def _weighted(routes: Sequence[Route]) -> Route:
    mark = current_clock().random() * sum([route.target.weight for route in routes])
    for route in routes:
        mark -= route.target.weight
        if mark < 0:
            return route
    # None of them has a weight, or rounding has left something.
    return max(routes, key=lambda route: route.target.weight)


def _fastest(routes: Sequence[Route]) -> Route:
    """Choose the least median, now and then any; those never measured come first.

    Those without a weight are chosen when there are no others, as listed.
    """
    weighed = [route for route in routes if route.target.weight]
    routes = weighed or routes[:1]
    draw = current_clock().random()
    if draw < _EXPLORED:
        return routes[int(draw / _EXPLORED * len(routes))]
    return min(routes, key=lambda route: route.median() or 0.0)


_PICKS: Final = {
    FailoverOrder.LISTED: _listed,
    FailoverOrder.WEIGHTED: _weighted,
    FailoverOrder.FASTEST: _fastest,
}
