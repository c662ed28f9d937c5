"""The stages in one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stormproof.providers import Journey
from stormproof.reflex.admission import Admission, Asked, Entry
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.stage import Stage


class OnFailure(StrEnum):
    """What becomes of a call when a stage cannot do its work."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Step:
    """A stage in its line.

    Attributes:
        stage: The stage.
        on_failure: What becomes of a call that it could not look at.
    """

    stage: Stage
    on_failure: OnFailure


class Reflex:
    """What a request passes before a model sees it, and the answer before its caller does.

    ```python
    async with reflex.admitted(request, caller, journey) as admission:
        answer = admission.answer or await ladder.complete(admission.request, journey)
        return await admission.answered(answer)
    ```

    Args:
        steps: The stages, in their order.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = steps
        self._entries = [_entry(step) for step in steps]

    @property
    def stages(self) -> Sequence[Stage]:
        """What a request passes, in this order."""
        return [step.stage for step in self._steps]

    def admitted(
        self,
        request: Asked,
        caller: Caller,
        journey: Journey,
        *,
        cache_use: CacheUse = CacheUse.FULL,
    ) -> "Admission[Asked]":
        """Return what lets a request in, for as long as it is answered.

        To be entered with ``async with``, which raises `StormproofError` where a stage rejects the
        request, or cannot do its work. What was taken for the call is settled at the end: leave it
        before the end of the answer is sent, and what is written down then outlives this process.

        Args:
            request: What is asked.
            caller: Who asks.
            journey: Where it is written down who answered, and at what price.
            cache_use: What he wants of answers that were kept.
        """
        journey.guarded = True
        return Admission(self._entries, request, caller, journey, cache_use)


def _entry(step: Step) -> Entry:
    return step.stage.name, step.stage.enter, step.on_failure is OnFailure.OPEN
