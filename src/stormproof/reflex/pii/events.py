"""What was found, on the bus of the recovery floor: kinds and numbers alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stormproof.errors import Severity
from stormproof.recovery import Event
from stormproof.reflex.pii.finding import Kind


@dataclass(frozen=True, kw_only=True)
class PiiFound(Event):
    """Personal data was found.

    Attributes:
        kinds: Of which kinds, and how much of each.
        answer: Whether a model has said it, not the caller.
    """

    severity: ClassVar[Severity] = Severity.INFO
    kinds: Mapping[Kind, int]
    answer: bool
