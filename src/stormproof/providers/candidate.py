"""Somebody who may answer, whatever is asked, and what is known of him."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from stormproof.errors import StormproofError
from stormproof.providers.chat import Completion, Usage
from stormproof.providers.figures import Call, Figures, Price
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    FailureRate,
    GrowingBreak,
    Pipeline,
    Store,
    Strategy,
    Target,
    is_breakdown,
)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer", bound="Counted")

_DOWN: Final = (FailureRate(0.75, window=5.0, minimum_calls=3), ConsecutiveFailures(6))
"""After these it is left alone: every failure costs somebody the time to find out. Three in a row
are soon there by chance among many calls; they say something where there are no others."""


class Counted(Protocol):
    """An answer whose tokens are counted."""

    @property
    def usage(self) -> Usage:
        """Tokens."""
        ...


@dataclass(slots=True)
class Journey:
    """How a request got its answer.

    Attributes:
        asked: Who was called, in this order.
        rung: Who answered; None so far.
        degraded: Whether that is not what a model said to this request.
        cost: What the answer costs, as far as the tokens are told; None if nobody knows.
        broke: Whose streams broke off.
        others: Who may go on with a stream that broke off.
        guarded: Whether stages stand before who answers: it is they who keep answers, and know
            whose they are.
        remembered: What they have kept of an answer to the same request, for a rung that gives it
            again.
    """

    asked: list[str] = field(default_factory=list)
    rung: str | None = None
    degraded: bool = False
    cost: float | None = None
    broke: set[str] = field(default_factory=set)
    others: frozenset[str] = frozenset()
    guarded: bool = False
    remembered: Completion | None = None


def usual_breaker(name: str, store: Store | None = None) -> CircuitBreaker:
    """Return what leaves somebody alone who fails again and again.

    Args:
        name: What events and errors call its circuit.
        store: Where several processes share it; None if they do not.
    """
    return CircuitBreaker(
        name,
        opens_on=_DOWN,
        open_for=GrowingBreak(longest=60.0),
        failures=is_breakdown,
        store=store,
    )


class Candidate(Generic[Asked, Answer]):
    """Somebody who may answer.

    Args:
        name: What headers, events and errors call it.
        ask: Asks it.
        weight: How often it is asked first, beside others, where the ladder draws.
        deadline: Seconds for a whole answer.
        limits: What it allows us: quotas, bulkheads.
        breaker: What leaves it alone while it fails; by default one of its own.
        degraded: Whether it answers with something that no model said to the request.
        price: Tells what an answer costs, by its tokens; by default nobody knows.
        figures: Where its calls are counted; by default its own.

    Attributes:
        degraded: Whether what it answers is not what a model said to the request.
        figures: What has become of its calls.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Asked], Awaitable[Answer]],
        *,
        weight: float = 1.0,
        deadline: float = 60.0,
        limits: Sequence[Strategy] = (),
        breaker: CircuitBreaker | None = None,
        degraded: bool = False,
        price: Price | None = None,
        figures: Figures | None = None,
    ) -> None:
        self.name: Final = name
        self._ask = ask
        self._weight = weight
        self.degraded: Final = degraded
        self._price = price
        self.figures: Final = figures or Figures()
        self._breaker = breaker or usual_breaker(name)
        self._whole = Pipeline(*limits, Deadline(deadline), name=name)

    def target(self, *, first: bool) -> Target:
        """Return it as one that a failover may ask; the first is what the failover guards."""
        call = None if first else self.answer
        return Target(
            self.name, call, weight=self._weight, breaker=self._breaker, refuses=self.refuses
        )

    def refuses(self, request: Asked, journey: Journey) -> StormproofError | None:  # noqa: ARG002
        """Say what keeps it from answering, without asking it: here, nothing does."""
        return None

    def answer(
        self, request: Asked, journey: Journey
    ) -> Awaitable[Answer] | AsyncGenerator[Any, None]:
        """Answer in the form that the request wants."""
        return self.complete(request, journey)

    async def complete(self, request: Asked, journey: Journey) -> Answer:
        """Answer at once.

        Args:
            request: What is asked.
            journey: Where it is written down.
        """
        with Call(self.figures, self._price) as call:
            answer = await self._whole.acall(self._call, request, journey)
            call.used(answer.usage)
        self._arrive(journey, call)
        return answer

    def _call(self, request: Asked, journey: Journey) -> Awaitable[Answer]:
        journey.asked.append(self.name)
        return self._ask(request)

    def _arrive(self, journey: Journey, call: Call) -> None:
        journey.rung, journey.degraded, journey.cost = self.name, self.degraded, call.cost
