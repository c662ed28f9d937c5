"""One of those who may answer for a model's name."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing

from stormproof.errors import (
    ContextTooLong,
    InvalidRequest,
    PartialOutput,
    ServiceUnavailable,
    StormproofError,
)
from stormproof.providers.candidate import Candidate, Journey
from stormproof.providers.chat import Capability, Chunk, Completion
from stormproof.providers.continuation import Continuation, Delivered, joined, rest_of
from stormproof.providers.figures import Call, Figures, Price
from stormproof.providers.json_rest import whole_json
from stormproof.providers.model import ChatModel, TextModel
from stormproof.providers.texts import Question, TextRequest
from stormproof.providers.tool_calls import check_calls, whole_calls
from stormproof.recovery import CircuitBreaker, IdleTimeout, Pipeline, Strategy


class Rung(Candidate[Question, Completion]):
    """Somebody who may answer, and what is known of him.

    Args:
        model: Who answers.
        texts: The same, where it continues texts as well.
        name: What headers, events and errors call it; by default as the model is called.
        weight: How often it is asked first, beside others, where the ladder draws.
        deadline: Seconds for a whole answer, or for the beginning of a stream.
        idle: Seconds for each further piece of a stream.
        limits: What it allows us: quotas, bulkheads.
        breaker: What leaves it alone while it fails; by default one of its own.
        capabilities: What it can do.
        context: Tokens of prompt and answer together; None if nobody knows.
        degraded: Whether it answers with something that no model said to the request.
        continues: How it goes on with an answer that broke off.
        price: Tells what an answer costs, by its tokens; by default nobody knows.
        figures: Where its calls are counted; by default its own.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        texts: TextModel | None = None,
        name: str | None = None,
        weight: float = 1.0,
        deadline: float = 60.0,
        idle: float = 30.0,
        limits: Sequence[Strategy] = (),
        breaker: CircuitBreaker | None = None,
        capabilities: frozenset[Capability] = frozenset(Capability),
        context: int | None = None,
        degraded: bool = False,
        continues: Continuation = Continuation.INSTRUCTION,
        price: Price | None = None,
        figures: Figures | None = None,
    ) -> None:
        super().__init__(
            name or model.name,
            self._completion,
            weight=weight,
            deadline=deadline,
            limits=limits,
            breaker=breaker,
            degraded=degraded,
            price=price,
            figures=figures,
        )
        self._model = model
        self._texts = texts
        self._capabilities = capabilities
        self._context = context
        self._continues = continues
        patience = IdleTimeout(idle, first=deadline)
        self._streamed = Pipeline(*limits, patience, name=self.name, keeps=0)

    @property
    def continues(self) -> bool:
        """Whether it can go on with an answer that broke off."""
        return self._continues is not Continuation.NEVER

    def refuses(
        self, request: Question, journey: Journey, *, delivered: Sequence[Chunk] = ()
    ) -> StormproofError | None:
        """Say what keeps it from answering, without asking it."""
        left = self.name in journey.broke and journey.others - journey.broke
        if left or (delivered and not self.continues):
            return ServiceUnavailable(reason="nobody is left to go on with the answer")
        if isinstance(request, TextRequest) and self._texts is None:
            return _only_chats()
        missing = request.needs - self._capabilities
        if missing:
            lacks = ", ".join(sorted(missing))
            return InvalidRequest(reason=f"no model that may answer can do this: {lacks}")
        return None if self._context is None else _overflow(request, self._context)

    def answer(
        self, request: Question, journey: Journey, **delivered: Sequence[Chunk]
    ) -> Awaitable[Completion] | AsyncGenerator[Chunk, None]:
        """Answer in the form that the request wants."""
        if request.streams:
            return self.stream(request, journey, **delivered)
        return self.complete(request, journey)

    async def _completion(self, request: Question) -> Completion:
        if isinstance(request, TextRequest):
            return await self._texting.complete(request)
        completion = await self._model.complete(request)
        check_calls(completion)
        return completion

    async def stream(
        self, request: Question, journey: Journey, *, delivered: Sequence[Chunk] = ()
    ) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece, from the first that a reader would see.

        Args:
            request: What is asked.
            journey: Where it is written down.
            delivered: What the client has of the answer already; only the rest is yielded.
        """
        ended: set[int] = set()
        seen = False
        journey.broke.add(self.name)
        with Call(self.figures, self._price) as call:
            try:
                async with aclosing(self._saying(request, journey, delivered)) as chunks:
                    async for chunk in chunks:
                        call.speaks(chunk.usage)
                        self._arrive(journey, call)
                        if chunk.finish_reason:
                            ended.add(chunk.index)
                        seen = True
                        yield chunk
            except Exception as error:  # noqa: BLE001 - an answer is whole, whatever follows its end
                if len(ended) < request.choices:
                    raise error if seen else _unseen(error)  # noqa: B904 - which has its cause
        journey.broke.discard(self.name)

    def _saying(
        self, request: Question, journey: Journey, delivered: Sequence[Chunk]
    ) -> AsyncGenerator[Chunk, None]:
        """Return a stream of what may be seen: its calls are whole, and so is its JSON's rest.

        Both are held back out here, where no patience ends while they come.
        """
        so_far = Delivered.of(delivered, self._way(request)) if delivered else None
        said = whole_calls(self._streamed.stream(self._speaking, request, journey, so_far))
        begun = so_far.text if so_far else ""
        rest = whole_json(said, begun) if begun and request.wants_json else said
        return _once_it_speaks(rest)

    def _speaking(
        self, request: Question, journey: Journey, so_far: Delivered | None
    ) -> AsyncGenerator[Chunk, None]:
        return _once_it_speaks(self._asking(request, journey, so_far))

    def _asking(
        self, request: Question, journey: Journey, so_far: Delivered | None
    ) -> AsyncGenerator[Chunk, None]:
        way = self._way(request)
        rest = rest_of(request, so_far, way) if so_far else request
        if rest is None:
            return _full()
        journey.asked.append(self.name)
        said = self._said(rest)
        return joined(said, so_far, way) if so_far else said

    def _said(self, request: Question) -> AsyncGenerator[Chunk, None]:
        if isinstance(request, TextRequest):
            return self._texting.stream(request)
        return self._model.stream(request)

    @property
    def _texting(self) -> TextModel:
        if self._texts is None:
            raise _only_chats()
        return self._texts

    def _way(self, request: Question) -> Continuation:
        """Return how it goes on with an answer: with a text, as with any text."""
        return Continuation.EXACT if isinstance(request, TextRequest) else self._continues


async def _once_it_speaks(chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    """Hold a stream back until it says something: up to there, another may answer instead."""
    held: list[Chunk] = []
    async with aclosing(chunks):
        async for chunk in chunks:
            held.append(chunk)
            if chunk.has_content or chunk.finish_reason is not None:
                break
        for one in held:
            yield one
        async for chunk in chunks:
            yield chunk


def _unseen(error: Exception) -> Exception:
    """Return what broke a stream of which nobody has seen a part that was held back."""
    cause = error.__cause__ if isinstance(error, PartialOutput) else None
    return cause if isinstance(cause, Exception) else error


def _only_chats() -> InvalidRequest:
    reason = "no model that may answer continues texts: ask at /v1/chat/completions"
    return InvalidRequest(reason=reason, param="model")


def _overflow(request: Question, context: int) -> ContextTooLong | None:
    tokens, wanted = request.prompt_tokens, request.max_tokens or 1
    if tokens + wanted <= context:
        return None
    return ContextTooLong(prompt_tokens=tokens, max_tokens=wanted, limit=context)


async def _full() -> AsyncGenerator[Chunk, None]:
    """End an answer that was cut where it had to end."""
    yield Chunk(finish_reason="length")
