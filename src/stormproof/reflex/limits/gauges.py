"""What all have left of their limits, and taking from several of them together."""

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from stormproof.recovery import current_clock
from stormproof.recovery.keys.key_table import KeyTable
from stormproof.recovery.sharing.joint_operations import MeterState
from stormproof.reflex.limits.applying import Applying, Limited
from stormproof.reflex.limits.gauge import Debts, Gauge
from stormproof.reflex.limits.headers import Told
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


class Seat(Struct, frozen=True):
    """What was taken for a request.

    Attributes:
        told: What its caller is told of the limits.
        debts: How each of them stood when it was taken.
    """

    told: Sequence[Told]
    debts: Sequence[Debts]

    @abstractmethod
    def leave(self, extra: int) -> None:
        """Give the places back, now that the request has ended.

        Args:
            extra: Tokens that it took beyond those that it was taken to need; less than 0 if it
                took fewer.
        """


Taken: TypeAlias = Seat | Standing
"""What was taken; if one had too little left, how each limit stands."""


class Gauges(Protocol):
    """What all have left."""

    def take(self, applying: Applying, tokens: int) -> Taken | Awaitable[Taken]:
        """Take a request, its tokens and a place from every limit, or nothing from any.

        Returns:
            What was taken, or what that is waited for.
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

    def take(self, applying: Applying, tokens: int) -> Taken:
        """Take from every limit, or nothing from any."""
        now = current_clock().now()
        gauges: list[Gauge] = []
        for subject, settings in applying.metered:
            gauge = self._table.entry(subject).value
            if gauge.settings is not settings and gauge.settings != settings:
                gauge.set(settings, now)
            gauges.append(gauge)
        debts: list[Debts] = []
        for gauge in gauges:
            owed = gauge.take(tokens, now)
            if owed is None:
                for one in gauges[: len(debts)]:
                    one.give_back(tokens, now)
                return Standing(applying.metered, [one.state(now) for one in gauges])
            debts.append(owed)
        return LocalSeat(applying.told, debts, gauges, now)


class LocalSeat(Seat, frozen=True):
    """What was taken in this process.

    Attributes:
        gauges: What is left of each.
        since: When it was taken.
    """

    gauges: Sequence[Gauge]
    since: float

    def leave(self, extra: int) -> None:
        """Give the places back, and correct the tokens."""
        # What is given back only fills up what is not yet full: it does not matter when.
        now = current_clock().now() if extra > 0 else self.since
        for gauge in self.gauges:
            gauge.leave(extra, now)
