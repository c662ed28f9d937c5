"""What is done about personal data, by its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stormproof.reflex.pii.finding import Kind


class PiiAction(StrEnum):
    """What is done about personal data that was found."""

    BLOCK = "block"
    """The call is turned away."""

    REDACT = "redact"
    """A model gets a placeholder, and the caller the value again; what a model says of itself the
    caller does not get."""

    REPORT = "report"
    """It is counted."""


@dataclass(frozen=True, slots=True)
class PiiPolicy:
    """What is done about which kind.

    Attributes:
        action: About all,
        kinds: but about these.
    """

    action: PiiAction = PiiAction.REDACT
    kinds: Mapping[Kind, PiiAction] = field(default_factory=dict)

    def of(self, kind: Kind) -> PiiAction:
        """Return what is done about a kind."""
        return self.kinds.get(kind, self.action)

    @property
    def only_reports(self) -> bool:
        """Whether texts stay as they are."""
        return {self.action, *self.kinds.values()} == {PiiAction.REPORT}
