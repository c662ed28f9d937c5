"""When the tokens of an answer came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stormproof.cli.bench.workload import Request


@dataclass(frozen=True, slots=True)
class Timeline:
    """One answer; all times are seconds on one clock.

    Attributes:
        started: When it was asked for.
        arrivals: When its tokens came. Tokens that came together count once.
        prompt_tokens: Tokens of the prompt.
        output_tokens: Tokens of the answer.
    """

    started: float
    arrivals: Sequence[float]
    prompt_tokens: int
    output_tokens: int

    @property
    def first(self) -> float:
        """Seconds to the first token."""
        return self.arrivals[0] - self.started

    @property
    def gaps(self) -> list[float]:
        """Seconds between tokens."""
        pairs = zip(self.arrivals, self.arrivals[1:], strict=False)
        return [later - earlier for earlier, later in pairs]


class Target(Protocol):
    """What is measured."""

    async def answer(self, request: Request) -> Timeline:
        """Ask for exactly so many tokens, most probable ones, and note when they come.

        Raises:
            StormproofError: There was no answer.
        """
