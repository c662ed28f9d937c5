"""What an answer's headers say about limits."""

from collections.abc import Iterable, Sequence
from math import ceil, inf
from typing import Final

from msgspec import Struct

from stormproof.reflex.limits.gauge import MINUTE, Debts
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import Subject

_UNITS: Final = (b"requests", b"tokens")

_ROUNDING: Final = 1e-6


class Told(Struct, frozen=True):
    """A limit that its caller may know of, ready to be told.

    Attributes:
        place: Which of the call's limits it belongs to.
        unit: What it is for: 0 for requests, 1 for tokens.
        limit: How many in a minute.
        shown: The same, as its header has it.
        names: The headers: how many there are at most, how many are left, and until when.
    """

    place: int
    unit: int
    limit: int
    shown: bytes
    names: tuple[bytes, bytes, bytes]


def told(limited: Iterable[tuple[Subject, LimitSettings]]) -> Sequence[Told]:
    """Return what a caller is told of his limits.

    What he shares with others is not told: it would say what those do.
    """
    return tuple(
        Told(place, unit, limit, b"%d" % limit, _names(unit))
        for place, (subject, settings) in enumerate(limited)
        for unit, limit in enumerate((settings.requests_per_minute, settings.tokens_per_minute))
        if limit is not None and subject.scope.own
    )


def limit_headers(told: Iterable[Told], debts: Sequence[Debts]) -> dict[bytes, bytes]:
    """Return how much is left, as OpenAI's API tells it: of several limits that with the least.

    Args:
        told: What is told.
        debts: How each of the call's limits stands.
    """
    said: dict[bytes, bytes] = {}
    least = [inf, inf]
    for one in told:
        unit, limit = one.unit, one.limit
        reset = debts[one.place][unit]
        left = limit - ceil(reset * limit / MINUTE - _ROUNDING)
        if left < 0:  # noqa: PLR1730 - calling max() costs more
            left = 0
        if left < least[unit]:
            least[unit] = left
            limit_name, left_name, reset_name = one.names
            said[limit_name], said[left_name] = one.shown, b"%d" % left
            said[reset_name] = b"%.3fs" % reset
    return said


def _names(unit: int) -> tuple[bytes, bytes, bytes]:
    what = _UNITS[unit]
    return (
        b"x-ratelimit-limit-%b" % what,
        b"x-ratelimit-remaining-%b" % what,
        b"x-ratelimit-reset-%b" % what,
    )
