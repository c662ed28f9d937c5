"""What becomes of the calls of somebody who may answer, in numbers."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

from stormproof.errors import translate
from stormproof.providers.buckets import Buckets
from stormproof.providers.chat import Usage
from stormproof.recovery import current_clock

Price: TypeAlias = Callable[[Usage], float]
"""Tells what tokens cost, in whatever money."""

ANSWERED: Final = "answered"
CANCELLED: Final = "cancelled"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Figures:
    """Counts calls; belongs to one event loop, so without locks.

    Attributes:
        outcomes: Calls, by what became of them: `ANSWERED`, `CANCELLED`, or an error's code.
        seconds: How long those took that were answered.
        first_seconds: How long streams took to say something.
        prompt_tokens: Read, as far as that was told.
        completion_tokens: Written.
        cost: Of both, as far as there is a price.
    """

    def __init__(self) -> None:
        self.outcomes: Final[Counter[str]] = Counter()
        self.seconds: Final = Buckets(_SECONDS)
        self.first_seconds: Final = Buckets(_SECONDS)
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost = 0.0


class Call:
    """One call, to be entered when it begins and left when it ends.

    Args:
        figures: Where it is counted.
        price: Tells what it costs; None if nobody knows.

    Attributes:
        cost: What it has cost so far; None if nobody knows.
    """

    __slots__ = ("_began", "_figures", "_price", "_silent", "_usage", "cost")

    def __init__(self, figures: Figures, price: Price | None) -> None:
        self._figures = figures
        self._price = price
        self._silent = True
        self._usage: Usage | None = None
        self.cost: float | None = None

    def __enter__(self) -> Self:
        self._began = current_clock().now()
        return self

    def speaks(self, usage: Usage | None) -> None:
        """Take note of a piece of a stream, and of the tokens that it tells of."""
        if usage:
            self.used(usage)
        if self._silent:
            self._silent = False
            self._figures.first_seconds.observe(current_clock().now() - self._began)

    def used(self, usage: Usage) -> None:
        """Take note of the tokens, of a stream so far."""
        self._usage = usage
        if self._price:
            self.cost = self._price(usage)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        figures = self._figures
        figures.outcomes[ANSWERED if error is None else _outcome(error)] += 1
        if error is None:
            figures.seconds.observe(current_clock().now() - self._began)
        if self._usage:
            figures.prompt_tokens += self._usage.prompt_tokens
            figures.completion_tokens += self._usage.completion_tokens
        figures.cost += self.cost or 0.0


def _outcome(error: BaseException) -> str:
    if isinstance(error, Exception):
        return translate(error).code
    return CANCELLED
