"""How many tokens a step may read, which shrinks when memory runs out."""

from typing import Final

_REGROWTH: Final = 64
"""Steps without a shortage after which the whole budget is there again."""


class StepBudget:
    """Halved by every shortage of memory, and back by and by.

    Args:
        full: Tokens in a step while there is memory enough.

    Attributes:
        shortages: How often memory ran out.
    """

    def __init__(self, full: int) -> None:
        self.shortages = 0
        self._full = full
        self._tokens = full

    @property
    def tokens(self) -> int:
        """How many tokens the next step may read; at least one."""
        return self._tokens

    def shrink(self, tokens: int) -> None:
        """Allow half of the tokens for which memory did not suffice."""
        self.shortages += 1
        self._tokens = max(1, min(self._tokens, tokens) // 2)

    def grow(self) -> None:
        """Allow more after a step for which memory sufficed."""
        self._tokens = min(self._full, self._tokens + max(1, self._full // _REGROWTH))
