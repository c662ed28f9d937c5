"""What all have left of their limits, and taking from several of them together."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from stormproof.recovery import current_clock
from stormproof.recovery.keys.key_table import KeyTable
from stormproof.recovery.sharing.joint_operations import MeterState
from stormproof.reflex.limits.applying import Limited
from stormproof.reflex.limits.gauge import Gauge
from stormproof.reflex.limits.subject import Subject

_MOST: Final = 100_000


class Standing(Struct, frozen=True):
    """How limits stand.

    Attributes:
        limited: Whose, and what they are.
        states: How each of them stands.
    """

    limited: Sequence[Limited]
    states: Sequence[MeterState]


class Seat(Protocol):
    """What was taken for a request."""

    def standing(self) -> Standing:
        """Return how its limits stand."""
        ...

    def leave(self, extra: int) -> None:
        """Give the places back, now that the request has ended.

        Args:
            extra: Tokens that it took beyond those that it was taken to need; less than 0 if it
                took fewer.
        """
        ...


class Gauges(Protocol):
    """What all have left."""

    async def take(self, limited: Sequence[Limited], tokens: int) -> Seat | Standing:
        """Take a request, its tokens and a place from every limit, or nothing from any.

        Returns:
            What was taken; if one had too little left, how each limit stands.
        """
        ...


class LocalGauges:
    """What all have left in this process; belongs to one event loop.

    Args:
        most: How many keys, users, addresses and models are remembered. Of more the one that was
            not used lately is forgotten, and begins with all that it may use.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._table: Final = KeyTable[Subject, Gauge](lambda _: Gauge(), most)

    async def take(self, limited: Sequence[Limited], tokens: int) -> Seat | Standing:
        """Take from every limit, or nothing from any; nobody else gets a turn meanwhile."""
        now = current_clock().now()
        gauges: list[Gauge] = []
        for subject, settings in limited:
            gauge = self._table.entry(subject).value
            if gauge.settings is not settings and gauge.settings != settings:
                gauge.set(settings, now)
            gauges.append(gauge)
        for place, gauge in enumerate(gauges):
            if not gauge.take(tokens, now):
                for one in gauges[:place]:
                    one.give_back(tokens, now)
                return Standing(limited, [one.state(now) for one in gauges])
        return LocalSeat(limited, gauges)


class LocalSeat(Struct, frozen=True):
    """What was taken in this process.

    Attributes:
        limited: From whose limits.
        gauges: What is left of each.
    """

    limited: Sequence[Limited]
    gauges: Sequence[Gauge]

    def standing(self) -> Standing:
        """Return how its limits stand."""
        now = current_clock().now()
        return Standing(self.limited, [gauge.state(now) for gauge in self.gauges])

    def leave(self, extra: int) -> None:
        """Give the places back, and correct the tokens."""
        now = current_clock().now()
        for gauge in self.gauges:
            gauge.leave(extra, now)
