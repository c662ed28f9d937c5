"""What the stages did, on the bus of the recovery floor."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import msgspec

from stormproof.errors import Severity
from stormproof.recovery import Event


class StageOutcome(StrEnum):
    """What a stage made of a request."""

    PASSED = "passed"
    CHANGED = "changed"
    ANSWERED = "answered"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    """It could not look, and the call went on without."""
    FAILED = "failed"
    """It could not look, and the call went no further."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """One stage's part in a call.

    Attributes:
        stage: Its name.
        outcome: What it made of the request.
        seconds: How long that took.
    """

    stage: str
    outcome: StageOutcome
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StagesEnded(Event):
    """A request has gone through the line, or come to an end in it: one event, since each makes it.

    The pipeline is the model that was asked for.

    Attributes:
        looks: Those of all stages that were asked, in their order.
    """

    severity: ClassVar[Severity] = Severity.DEBUG
    looks: Sequence[Look]


@dataclass(frozen=True, kw_only=True)
class StageFailed(Event):
    """A stage could not do its work; the strategy is its name.

    Attributes:
        error: Why.
        open: Whether the call went on without it.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    error: Exception
    open: bool


@dataclass(frozen=True, kw_only=True)
class StoreFailed(Event):
    """What keeps keys or usage does not answer; the work is tried again until it does.

    Attributes:
        error: Why.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    error: Exception


@dataclass(frozen=True, kw_only=True)
class StoreRecovered(Event):
    """It answers again, and nothing that was kept for it is missing."""


@dataclass(frozen=True, kw_only=True)
class UsageLost(Event):
    """What requests took could not be written down: there is no room.

    Attributes:
        rows: How many requests that concerns, since it was told last.
    """

    severity: ClassVar[Severity] = Severity.CRITICAL
    rows: int


@dataclass(frozen=True, kw_only=True)
class PriceUnknown(Event):
    """A model is asked within a budget, and nobody knows what it costs: it counts as free."""

    severity: ClassVar[Severity] = Severity.WARNING
