"""A detector that finds what was planted, by heart."""

import re
from collections.abc import Mapping, Sequence

from stormproof.reflex.pii.finding import Finding, Kind


class Planted:
    """Finds values wherever they stand; counts the characters that it has looked at."""

    def __init__(self, values: Mapping[str, Kind]) -> None:
        self._values = values
        longest_first = sorted(values, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self.characters = 0

    def may_be_in(self, text: str) -> bool:
        """Return whether there is something, or values stand across lines."""
        return self._any.search(text) is not None

    def find(self, text: str) -> Sequence[Finding]:
        self.characters += len(text)
        return [
            Finding(self._values[one[0]], one.start(), one.end())
            for one in self._any.finditer(text)
        ]
