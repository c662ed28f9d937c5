"""One of those who may answer for a model's name."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from stormproof.errors import ContextTooLong, InvalidRequest, ServiceUnavailable, StormproofError
from stormproof.providers.chat import Capability, ChatRequest, Chunk, Completion
from stormproof.providers.continuation import Continuation, Delivered, joined, rest_of
from stormproof.providers.model import ChatModel
from stormproof.providers.tool_calls import whole_calls
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    GrowingBreak,
    IdleTimeout,
    Pipeline,
    Strategy,
    Target,
    is_breakdown,
)

_FAILURES: Final = 3
"""In a row, after which it is left alone: every one costs somebody the time to find out."""


@dataclass(slots=True)
class Journey:
    """How a request got its answer.

    Attributes:
        asked: Who was asked, in this order.
        rung: Who answered; None so far.
        degraded: Whether that is not what a model said to this request.
        broke: Whose streams broke off.
        others: Who may go on with a stream that broke off.
    """

    asked: list[str] = field(default_factory=list)
    rung: str | None = None
    degraded: bool = False
    broke: set[str] = field(default_factory=set)
    others: frozenset[str] = frozenset()


class Rung:
    """Somebody who may answer, and what is known of him.

    Args:
        model: Who answers.
        name: What headers, events and errors call it; by default as the model is called.
        weight: How often it is asked first, beside others, where the ladder draws.
        deadline: Seconds for a whole answer, or for the beginning of a stream.
        idle: Seconds for each further piece of a stream.
        limits: What it allows us: quotas, bulkheads.
        capabilities: What it can do.
        context: Tokens of prompt and answer together; None if nobody knows.
        degraded: Whether it answers with something that no model said to the request.
        continues: How it goes on with an answer that broke off.
        serves: Whether it has an answer to a request, where that can be told before.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        name: str | None = None,
        weight: float = 1.0,
        deadline: float = 60.0,
        idle: float = 30.0,
        limits: Sequence[Strategy] = (),
        capabilities: frozenset[Capability] = frozenset(Capability),
        context: int | None = None,
        degraded: bool = False,
        continues: Continuation = Continuation.INSTRUCTION,
        serves: Callable[[ChatRequest], bool] | None = None,
    ) -> None:
        self.name: Final = name or model.name
        self._model = model
        self._weight = weight
        self._capabilities = capabilities
        self._context = context
        self._degraded = degraded
        self._continues = continues
        self._serves = serves
        self._breaker = CircuitBreaker(
            self.name,
            opens_on=ConsecutiveFailures(_FAILURES),
            open_for=GrowingBreak(longest=60.0),
            failures=is_breakdown,
        )
        patience = IdleTimeout(idle, first=deadline)
        self._whole = Pipeline(*limits, Deadline(deadline), name=self.name)
        self._streamed = Pipeline(*limits, patience, name=self.name, keeps=0)

    @property
    def continues(self) -> bool:
        """Whether it can go on with an answer that broke off."""
        return self._continues is not Continuation.NEVER

    def target(self, *, first: bool) -> Target:
        """Return it as one that a failover may ask; the first is what the failover guards."""
        call = None if first else self.answer
        return Target(
            self.name, call, weight=self._weight, breaker=self._breaker, refuses=self.refuses
        )

    def refuses(
        self, request: ChatRequest, journey: Journey, *, delivered: Sequence[Chunk] = ()
    ) -> StormproofError | None:
        """Say what keeps it from answering, without asking it."""
        left = self.name in journey.broke and journey.others - journey.broke
        if delivered and (left or not self.continues):
            return ServiceUnavailable(reason="nobody is left to go on with the answer")
        if self._serves and not self._serves(request):
            return ServiceUnavailable(reason=f"{self.name} has no answer")
        missing = request.needs - self._capabilities
        if missing:
            lacks = ", ".join(sorted(missing))
            return InvalidRequest(reason=f"no model that may answer can do this: {lacks}")
        tokens, wanted = request.prompt_tokens, request.max_tokens or 1
        if self._context is not None and tokens + wanted > self._context:
            return ContextTooLong(prompt_tokens=tokens, max_tokens=wanted, limit=self._context)
        return None

    def answer(
        self, request: ChatRequest, journey: Journey, **delivered: Sequence[Chunk]
    ) -> Awaitable[Completion] | AsyncGenerator[Chunk, None]:
        """Answer in the form that the request wants."""
        if request.streams:
            return self.stream(request, journey, **delivered)
        return self.complete(request, journey)

    async def complete(self, request: ChatRequest, journey: Journey) -> Completion:
        """Answer at once."""
        journey.asked.append(self.name)
        completion = await self._whole.acall(self._model.complete, request)
        self._arrive(journey)
        return completion

    async def stream(
        self, request: ChatRequest, journey: Journey, *, delivered: Sequence[Chunk] = ()
    ) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece, from the first that a reader would see.

        Args:
            request: What is asked.
            journey: Where it is written down.
            delivered: What the client has of the answer already; only the rest is yielded.
        """
        journey.asked.append(self.name)
        async with aclosing(self._streamed.stream(self._speaking, request, delivered)) as chunks:
            journey.broke.add(self.name)
            async for chunk in chunks:
                self._arrive(journey)
                yield chunk
        journey.broke.discard(self.name)

    def _arrive(self, journey: Journey) -> None:
        journey.rung, journey.degraded = self.name, self._degraded

    async def _speaking(
        self, request: ChatRequest, delivered: Sequence[Chunk]
    ) -> AsyncGenerator[Chunk, None]:
        """Hold a stream back until it says something: up to there, another may answer instead."""
        held: list[Chunk] = []
        begun = False
        async with aclosing(whole_calls(self._saying(request, delivered))) as chunks:
            async for chunk in chunks:
                begun = begun or chunk.has_content or chunk.finish_reason is not None
                held.append(chunk)
                if begun:
                    for one in held:
                        yield one
                    held.clear()

    def _saying(
        self, request: ChatRequest, delivered: Sequence[Chunk]
    ) -> AsyncGenerator[Chunk, None]:
        if not delivered:
            return self._model.stream(request)
        so_far, way = Delivered.of(delivered), self._continues
        rest = rest_of(request, so_far, way)
        return joined(self._model.stream(rest), so_far, way) if rest else _full()


async def _full() -> AsyncGenerator[Chunk, None]:
    """End an answer that was cut where it had to end."""
    yield Chunk(finish_reason="length")
