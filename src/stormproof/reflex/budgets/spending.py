"""What was spent before: where somebody keeps books."""

from datetime import datetime
from typing import Protocol

from stormproof.reflex.limits.subject import Subject


class Spending(Protocol):
    """Books of what calls have cost."""

    async def spent(self, subject: Subject, since: datetime) -> int:
        """Return what a subject's calls have cost, in billionths of the money of the prices.

        Args:
            subject: Whose calls; 0 is returned for those of whom no books are kept.
            since: From when on, in UTC.
        """
        ...
