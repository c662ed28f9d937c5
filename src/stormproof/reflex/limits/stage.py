"""The stage that lets in as many requests and tokens as somebody may have."""

from collections.abc import Awaitable, Mapping
from typing import Final

from msgspec import Struct

from stormproof.reflex.limits.applying import Limits
from stormproof.reflex.limits.gauges import Gauges, Seat, Standing, Taken
from stormproof.reflex.limits.headers import limit_headers
from stormproof.reflex.limits.refusal import refusal
from stormproof.reflex.limits.work import was_worked_on
from stormproof.reflex.stage import PASSED, Call, Companion, Ending, Outcome, Passed, Rejected


class LimitsStage:
    """Requests and tokens per minute, and requests at once: for each key, user, address and model.

    A request takes of all its limits together, or of none. Its tokens are those that it may need,
    until they are counted; of one that no model worked on they are given back. That it was made
    stays counted.

    Args:
        limits: What everybody may use.
        gauges: What is left: `LocalGauges`, or `SharedGauges` where several processes share it.
            It outlives the stage when limits change.
    """

    name = "limits"

    def __init__(self, limits: Limits, gauges: Gauges) -> None:
        self._limits: Final = limits
        self._gauges: Final = gauges

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Let a call in if its limits do."""
        applying = self._limits.of(call)
        if not applying.metered:
            return PASSED
        tokens = call.request.tokens
        taken = self._gauges.take(applying, tokens)
        return _outcome(taken, tokens) if isinstance(taken, Struct) else _awaited(taken, tokens)


async def _awaited(taking: Awaitable[Taken], tokens: int) -> Outcome:
    return _outcome(await taking, tokens)


def _outcome(taken: Taken, tokens: int) -> Outcome:
    if isinstance(taken, Standing):
        return Rejected(refusal(taken, tokens))
    return Passed(_Seated(taken, tokens))


class _Seated(Struct, Companion, frozen=True):
    """A request that was let in.

    Attributes:
        seat: What was taken for it.
        tokens: How many of them.
    """

    seat: Seat
    tokens: int

    def headers(self) -> Mapping[bytes, bytes]:
        """Return how much was left when it was let in."""
        return limit_headers(self.seat.told, self.seat.debts)

    def settle(self, ending: Ending) -> None:
        """Take note of the tokens that were counted."""
        usage = ending.usage
        used = usage.total_tokens if usage else 0
        if used < 0:  # noqa: PLR1730 - calling max() costs more
            used = 0
        if usage is None or ending.error:  # that is how many so far, not at last
            used = max(used, self.tokens if was_worked_on(ending) else 0)
        self.seat.leave(used - self.tokens)
