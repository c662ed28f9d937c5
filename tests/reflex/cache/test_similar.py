"""A question that means the same as one before is answered the same, and no other is."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stormproof.engine import AsyncEmbedder, Embedder, Embedding
from stormproof.errors import ContextTooLong, DeadlineExceeded, ServiceUnavailable
from stormproof.providers import ChatRequest, Journey, TextRequest
from stormproof.reflex import CacheUse, Call, Caller, Companion, Outcome, Passed
from stormproof.reflex.cache import CacheStage, KnownAnswers, MemoryAnswers
from stormproof.reflex.cache.similar import SimilarStage
from support.kept_answers import SECRET, House, answer, asked


class Words:
    """Embeds texts by the letters they are made of."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str], /) -> Sequence[Embedding]:
        self.texts += texts
        return [Embedding(_counts(text), len(text)) for text in texts]


def _counts(text: str) -> Any:
    return np.array([text.lower().count(letter) for letter in "aeiounrstlp"], np.float32)


@pytest.fixture
def known() -> KnownAnswers:
    return KnownAnswers(MemoryAnswers(), secret=SECRET)


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def stage(known: KnownAnswers, words: Words) -> SimilarStage:
    return SimilarStage(known, words, guard="g", threshold=0.99)


async def test_the_same_in_other_words_is_answered_the_same(stage: SimilarStage) -> None:
    """Whole or streamed, and labelled."""
    house, journey = House([stage]), Journey()
    await house.ask(asked("How do I reset my password?"))
    again = asked("how do i reset my password", stream=True)
    assert await house.ask(again, journey=journey) == "Hello"
    assert (house.calls, journey.rung) == (1, "similar")


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.5},
        {"model": "other"},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {
            "messages": [
                {"role": "system", "content": "Be rude."},
                {"role": "user", "content": "Hi"},
            ]
        },
        {"messages": [{"role": "user", "content": "Hi", "name": "bob"}]},
    ],
)
async def test_all_but_the_last_words_is_the_same(
    stage: SimilarStage, fields: dict[str, Any]
) -> None:
    """Every parameter, and all that was said before."""
    house = House([stage])
    await house.ask()
    await house.ask(ChatRequest({**asked().document, **fields}))
    assert house.calls == 2


async def test_nobody_is_answered_what_another_tenant_was(stage: SimilarStage) -> None:
    house = House([stage])
    await house.ask(tenant="a")
    await house.ask(tenant="b")
    assert house.calls == 2


async def test_what_turns_the_meaning_is_another_question(stage: SimilarStage) -> None:
    """However near the vectors are."""
    house = House([stage])
    for text in ("Is it a lot?", "Is it not a lot?", "Is it a lot in Oslo?", "Is it 1 lot?"):
        await house.ask(asked(text))
    assert house.calls == 4


class Private(Companion):
    private = True


class Finding:
    name = "pii"

    async def enter(self, call: Call) -> Outcome:
        return Passed(Private())


async def test_what_is_private_is_not_even_embedded(stage: SimilarStage, words: Words) -> None:
    house = House([Finding(), stage])
    await house.ask()
    await house.ask()
    assert (house.calls, words.texts) == (2, [])


async def test_what_turns_out_to_be_private_is_not_kept(stage: SimilarStage) -> None:
    house = House([stage, Finding()])
    await house.ask()
    await house.ask()
    assert house.calls == 2


@pytest.mark.parametrize(
    "request_",
    [
        TextRequest({"model": "m", "prompt": "Once"}),
        ChatRequest({"model": "m", "messages": [{"role": "assistant", "content": "Well,"}]}),
        ChatRequest({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        asked("x" * 1001),
        asked(""),
    ],
)
async def test_what_is_no_plain_question_passes(stage: SimilarStage, request_: Any) -> None:
    assert await stage.enter(Call(request_, Caller())) == Passed()


class Refusing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def embed(self, texts: Sequence[str], /) -> Sequence[Embedding]:
        raise self._error


async def test_what_the_model_cannot_embed_passes(known: KnownAnswers) -> None:
    too_long = ContextTooLong(prompt_tokens=600, max_tokens=0, limit=512)
    stage = SimilarStage(known, Refusing(too_long), guard="g")
    assert await stage.enter(Call(asked(), Caller())) == Passed()


async def test_a_model_that_fails_is_the_line_s_to_judge(known: KnownAnswers) -> None:
    """Until it is left alone: then requests pass."""
    stage = SimilarStage(known, Refusing(ServiceUnavailable(reason="closed")), guard="g")
    for _ in range(5):
        with pytest.raises(ServiceUnavailable, match="closed"):
            await stage.enter(Call(asked(), Caller()))
    assert await stage.enter(Call(asked(), Caller())) == Passed()


@pytest.mark.usefixtures("clock")
async def test_a_model_that_hangs_holds_nobody_up(known: KnownAnswers) -> None:
    class Hanging:
        async def embed(self, texts: Sequence[str], /) -> Sequence[Embedding]:
            await asyncio.Event().wait()
            return []

    stage = SimilarStage(known, Hanging(), guard="g")
    with pytest.raises(DeadlineExceeded):
        await stage.enter(Call(asked(), Caller()))


async def test_a_caller_may_want_a_fresh_answer_or_none_to_be_kept(stage: SimilarStage) -> None:
    house = House([stage], answer("1"), answer("2"), answer("3"))
    assert await house.ask(cache_use=CacheUse.NONE) == "1"
    assert await house.ask() == "2"
    assert await house.ask(cache_use=CacheUse.REFRESH) == "3"
    assert await house.ask(asked("hi")) == "3"


async def test_an_answer_to_another_question_is_not_kept_as_one_to_this(
    stage: SimilarStage, known: KnownAnswers
) -> None:
    """Nor does a chain of likeness lead ever further from what was asked."""
    exact = CacheStage(known, guard="g")
    house, journey = House([exact, stage]), Journey()
    await house.ask(asked("How do I do it?"))
    for _ in range(2):
        await house.ask(asked("how do i do it"), journey=journey)
        assert journey.rung == "similar"
    await house.ask(asked("How do I do it?"), journey=journey)
    assert journey.rung == "cache"


async def test_answers_that_are_gone_are_not_given(words: Words) -> None:
    store = MemoryAnswers(max_bytes=1000)
    house = House([SimilarStage(KnownAnswers(store, secret=SECRET), words, guard="g")])
    await house.ask()
    await house.ask(asked("Something else"))
    await house.ask(asked("hi"))
    assert house.calls == 3


@pytest.fixture(scope="module")
def minilm(embedding_model_path: Path) -> Iterator[AsyncEmbedder]:
    embedder = AsyncEmbedder(Embedder.load(embedding_model_path))
    yield embedder
    embedder.close()


ALIKE = [
    ("How do I reset my password?", "How can I reset my password?"),
    ("How do I cancel my subscription?", "how can i cancel my subscription"),
    ("Explain how photosynthesis works.", "How does photosynthesis work?"),
]
NOT_ALIKE = [
    ("Is it safe to take aspirin?", "Is it not safe to take aspirin?"),
    ("What is 15% of 200?", "What is 15% of 300?"),
    ("What is the capital of France?", "What is the capital of Germany?"),
    ("convert celsius to fahrenheit", "convert fahrenheit to celsius"),
    ("Is Alice older than Bob?", "Is Bob older than Alice?"),
    ("is the shop open on monday", "is the shop open on tuesday"),
    ("Can dogs eat grapes?", "Can cats eat grapes?"),
    ("What is the capital of France?", "Quelle est la capitale de la France ?"),
]


@pytest.mark.parametrize(
    ("pair", "calls"), [*((pair, 1) for pair in ALIKE), *((pair, 2) for pair in NOT_ALIKE)]
)
async def test_a_real_model_tells_what_means_the_same(
    known: KnownAnswers, minilm: AsyncEmbedder, pair: tuple[str, str], calls: int
) -> None:
    """At the threshold that is the default."""
    house = House([SimilarStage(known, minilm, guard="g", patience=600)])
    for text in pair:
        await house.ask(asked(text))
    assert house.calls == calls
