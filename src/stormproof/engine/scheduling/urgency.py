"""How soon a request should be answered."""

import math
import time
from dataclasses import dataclass
from typing import Final

from stormproof.recovery import Priority, current_priority, remaining


@dataclass(frozen=True, slots=True)
class Urgency:
    """What decides who comes first, and who too late.

    Attributes:
        priority: How important the answer is; of what waits, the more important starts first.
        deadline: When it is of no use any more, on the engine's clock: `time.monotonic`, which all
            processes of a machine share.
    """

    priority: Priority = Priority.NORMAL
    deadline: float = math.inf


USUAL: Final = Urgency()
"""Of a request of which nothing was said."""


def urgency_in_force() -> Urgency:
    """Return what `stormproof.recovery` says of all that is done for the present caller."""
    seconds = remaining()
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    return Urgency(current_priority(), deadline)
