"""What was found, on the bus of the recovery floor; never the words themselves."""

from dataclasses import dataclass
from typing import ClassVar

from stormproof.errors import Severity
from stormproof.recovery import Event
from stormproof.reflex.injection.finding import Attack, Disguise, InjectionSeverity


@dataclass(frozen=True, kw_only=True)
class InjectionFound(Event):
    """A text of a request would have a model obey it.

    Attributes:
        attack: What it is after.
        degree: How severe that is.
        place: Where it stands, as in ``messages.2.content``.
        role: Who said it.
        tool: Which tool gave it, or for which one it is, where that is told.
        start: Where in that text it begins, in characters.
        end: Where it ends.
        disguise: What it was hidden in, if it was.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    attack: Attack
    degree: InjectionSeverity
    place: str
    role: str
    tool: str | None
    start: int
    end: int
    disguise: Disguise | None
