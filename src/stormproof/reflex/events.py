"""What the stages did, on the bus of the recovery floor.

An event's pipeline is the model that was asked for, its strategy the stage.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from stormproof.errors import Severity
from stormproof.recovery import Event


class StageOutcome(StrEnum):
    """What a stage made of a request."""

    PASSED = "passed"
    CHANGED = "changed"
    ANSWERED = "answered"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class StageEnded(Event):
    """A stage has looked at a request.

    Attributes:
        outcome: What it made of it.
        seconds: How long that took.
    """

    severity: ClassVar[Severity] = Severity.DEBUG
    outcome: StageOutcome
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StageFailed(Event):
    """A stage could not do its work.

    Attributes:
        error: Why.
        open: Whether the call went on without it.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    error: Exception
    open: bool
