"""Writing down what a call took."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from stormproof.errors import translate
from stormproof.providers import Usage
from stormproof.reflex.budgets.money import nanos
from stormproof.reflex.caller import printable
from stormproof.reflex.pii.pseudonyms import is_pseudonym
from stormproof.reflex.stage import Call, Companion, Ending, Outcome, Passed
from stormproof.reflex.usage.row import UsageRow

Record: TypeAlias = Callable[[UsageRow], None]

_printable: Final = lru_cache(maxsize=1024)(printable)
"""For names of keys, models and rungs, of which there are few, and none is long."""

_NOTHING: Final = Usage()
_MOST_TOKENS: Final = 1_000_000_000
_MOST_COST: Final = nanos(1_000_000)
"""Whatever a provider tells, sums fit their columns."""


class UsageStage:
    """Lets everything pass, and has it written down how it ended.

    It stands behind the stage that limits requests: those that are turned away there were not
    answered, and a flood of them fills no table.

    Args:
        record: Writes it down; `UsageLedger.record`.
        clock: Tells the time, in seconds since 1970.
    """

    name: Final = "usage"

    def __init__(self, record: Record, *, clock: Callable[[], float] = time.time) -> None:
        self._record = record
        self._clock = clock

    def enter(self, call: Call) -> Outcome:
        """Go with a call."""
        return Passed(_Bookkeeper(self._record, self._clock, call))


class _Bookkeeper(Companion):
    def __init__(self, record: Record, clock: Callable[[], float], call: Call) -> None:
        self._record = record
        self._clock = clock
        self._caller = call.caller
        self._model = call.request.model

    def settle(self, ending: Ending) -> None:
        """Write down the end."""
        caller, usage, journey = self._caller, ending.usage or _NOTHING, ending.journey
        self._record(
            UsageRow(
                time=int(self._clock()),
                tenant=_printable(caller.tenant),
                key=_printable(caller.key or ""),
                user=_user(caller.user, private=ending.private) if caller.user else "",
                model=_printable(self._model),
                rung=_printable(journey.rung or ""),
                outcome=_outcome(ending.error),
                attempts=len(journey.asked),
                prompt_tokens=_bounded(usage.prompt_tokens),
                cached_tokens=_bounded(usage.prompt_detail("cached_tokens")),
                cache_write_tokens=_bounded(usage.prompt_detail("cache_write_tokens")),
                completion_tokens=_bounded(usage.completion_tokens),
                reasoning_tokens=_bounded(usage.completion_detail("reasoning_tokens")),
                cost=min(nanos(journey.cost or 0.0), _MOST_COST),
            )
        )


def _user(name: str, *, private: bool) -> str:
    """Return on whose behalf a call was made; a name may be what makes one private."""
    return "" if private and not is_pseudonym(name) else printable(name)


def _bounded(count: int) -> int:
    """Return a count that a provider has told."""
    return count if 0 <= count <= _MOST_TOKENS else min(max(count, 0), _MOST_TOKENS)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "answered"
    return translate(error).code if isinstance(error, Exception) else "cancelled"
