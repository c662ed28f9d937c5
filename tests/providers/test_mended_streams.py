"""Whatever happens behind a ladder, a stream is the answer, or the beginning of it and an error."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ProviderError, RateLimitExceeded, StormproofError
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    Continuation,
    FixedAnswer,
    Journey,
    Ladder,
    Rung,
    StreamPolicy,
    Usage,
)
from stormproof.providers.collector import Collector
from stormproof.recovery import current_clock
from stormproof.testing import FakeClock

WORDS = [f"w{n} " for n in range(12)]
SORRY = "Sorry."
FOREVER = 10_000.0

Failure: TypeAlias = Exception | float
"""What is raised, or how long nothing comes."""


@dataclass(frozen=True)
class Turn:
    """What a model does when it is called: it says some words, and fails; or says them all."""

    words: int = len(WORDS)
    failure: Failure | None = None


class Model:
    """Goes on from whatever the conversation ends with."""

    def __init__(self, name: str, turns: Sequence[Turn]) -> None:
        self.name = name
        self.calls = 0
        self._turns = turns

    async def complete(self, request: ChatRequest) -> Completion:
        raise NotImplementedError

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        turn = self._turns[self.calls] if self.calls < len(self._turns) else Turn()
        self.calls += 1
        said = [str(one.content) for one in request.messages if one.role == "assistant"]
        left = WORDS[len("".join(said).split()) :]
        yield Chunk(delta={"role": "assistant", "content": ""})
        for word in left[: turn.words]:
            yield Chunk(delta={"content": word})
        if isinstance(turn.failure, Exception):
            raise turn.failure
        if turn.failure is not None:
            await current_clock().asleep(turn.failure)
        yield Chunk(finish_reason="stop")
        yield Chunk(usage=Usage(5 + len(WORDS) - len(left), len(left)))


def failures() -> st.SearchStrategy[Failure]:
    return st.sampled_from(
        [
            ProviderError(provider="p", status_code=500),
            RateLimitExceeded(retry_after=3),
            ConnectionResetError(),
            FOREVER,
        ]
    )


turns = st.builds(Turn, st.integers(0, 6), failures())
scripts = st.lists(st.lists(turns, max_size=4), min_size=1, max_size=3)
ways = st.sampled_from([Continuation.EXACT, Continuation.PREFILL, Continuation.INSTRUCTION])


async def heard(
    models: Sequence[Model], policy: StreamPolicy, way: Continuation
) -> tuple[list[Chunk], Journey, StormproofError | None]:
    rungs = [Rung(model, continues=way, idle=3, deadline=5) for model in models]
    sorry = Rung(FixedAnswer(SORRY), degraded=True, continues=Continuation.NEVER)
    ladder, journey, chunks = Ladder("m", [*rungs, sorry]), Journey(), []
    messages = [{"role": "user", "content": "Hi"}]
    request = ChatRequest({"model": "m", "messages": messages, "stream": True})
    try:
        async with aclosing(ladder.stream(request, journey, policy=policy)) as stream:
            async for chunk in stream:
                chunks.append(chunk)  # noqa: PERF401 - those before an error count, too
    except StormproofError as error:
        return chunks, journey, error
    return chunks, journey, None


@given(scripts, st.sampled_from(StreamPolicy), ways)
async def test_it_is_whole_or_it_says_that_it_is_not(
    scripts: Sequence[Sequence[Turn]], policy: StreamPolicy, way: Continuation
) -> None:
    """No word twice, none lost, one end, and a bounded number of calls."""
    models = [Model(f"m{place}", script) for place, script in enumerate(scripts)]
    with FakeClock():
        chunks, journey, error = await heard(models, policy, way)
    restarts = [place for place, chunk in enumerate(chunks) if chunk.restarts]
    counted = chunks[restarts[-1] if restarts else 0 :]
    text = "".join(chunk.text for chunk in counted)
    ends = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    if journey.degraded:
        assert (text, ends, error) == (SORRY, ["stop"], None)
    elif error is None:
        assert (text, ends) == ("".join(WORDS), ["stop"])
    else:
        assert "".join(WORDS).startswith(text)
        assert ends == []
    assert sum(model.calls for model in models) <= len(models) * (len(WORDS) + 1)
    assert policy is StreamPolicy.RESTART or not restarts


@given(scripts, ways)
async def test_its_tokens_are_those_of_the_answer(
    scripts: Sequence[Sequence[Turn]], way: Continuation
) -> None:
    models = [Model(f"m{place}", script) for place, script in enumerate(scripts)]
    with FakeClock():
        chunks, journey, error = await heard(models, StreamPolicy.RESUME, way)
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    answer = collector.completion()
    if answer and not journey.degraded:
        assert error is None
        assert answer.usage.completion_tokens == len(WORDS)
