"""What a journey remembers is given again when no model answers."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import PartialOutput, ProviderError, ServiceUnavailable
from stormproof.providers import (
    AnswerCache,
    CachedAnswers,
    ChatRequest,
    Chunk,
    Completion,
    FixedAnswer,
    Journey,
    Ladder,
    Rung,
    Usage,
)
from stormproof.providers.recalling import RecallingRung

BROKEN = ProviderError(provider="acme", status_code=500)


class Broken:
    """A model that breaks after some words."""

    name = "broken"

    def __init__(self, *words: str) -> None:
        self._words = words

    async def complete(self, request: ChatRequest) -> Completion:
        raise BROKEN

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        for word in self._words:
            yield Chunk(delta={"content": word})
        raise BROKEN


def asked(**fields: Any) -> ChatRequest:
    return ChatRequest({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields})


def answer(text: str) -> Completion:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Completion({"choices": [choice]}, Usage(1, 2))


def ladder(*words: str, cache: AnswerCache | None = None) -> Ladder:
    kept = CachedAnswers(cache or AnswerCache())
    return Ladder("m", [Rung(Broken(*words)), RecallingRung(kept)])


async def said(ladder: Ladder, journey: Journey) -> str:
    async with aclosing(ladder.stream(asked(stream=True), journey)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


@pytest.mark.parametrize("streams", [False, True])
async def test_what_is_remembered_is_given_when_no_model_answers(streams: bool) -> None:
    """Whole or in pieces, and labelled as what it is."""
    journey = Journey(remembered=answer("before"))
    if streams:
        assert await said(ladder(), journey) == "before"
    else:
        assert await ladder().complete(asked(), journey) == answer("before")
    assert (journey.asked, journey.rung) == (["broken", "cached"], "cached")
    assert journey.degraded


async def test_it_comes_before_what_was_kept_for_everybody() -> None:
    """It was answered to the same caller."""
    cache = AnswerCache()
    cache.store(asked(), answer("to anybody"))
    both = ladder(cache=cache)
    assert (await both.complete(asked(), Journey())).text == "to anybody"
    assert (await both.complete(asked(), Journey(remembered=answer("before")))).text == "before"


async def test_nothing_remembered_is_no_answer() -> None:
    with pytest.raises((ServiceUnavailable, ProviderError)):
        await ladder().complete(asked(), Journey())


async def test_it_does_not_go_on_with_what_another_began() -> None:
    """Two answers make none."""
    with pytest.raises(PartialOutput):
        await said(ladder("Once"), Journey(remembered=answer("before")))


async def test_a_ladder_behind_stages_keeps_nothing_by_itself() -> None:
    """It does not know whose an answer is, nor what is private in it."""
    cache = AnswerCache()
    kept = CachedAnswers(cache)
    house = Ladder("m", [Rung(FixedAnswer("Hello")), RecallingRung(kept)], cache=cache)
    await house.complete(asked(), Journey(guarded=True))
    async with aclosing(house.stream(asked(stream=True), Journey(guarded=True))) as chunks:
        assert [chunk async for chunk in chunks]
    assert cache.find(asked()) is None
    await house.complete(asked(), Journey())
    assert cache.find(asked())
    with pytest.raises(ProviderError):
        await ladder(cache=cache).complete(asked(), Journey(guarded=True))
