"""What was answered before can be answered again, and something can always be said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ServiceUnavailable
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.chat import ChatRequest, Completion, Usage
from stormproof.testing import FakeClock


def asked(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest({"model": "m", "messages": [{"role": "user", "content": text}], **fields})


def answer(text: str) -> Completion:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return Completion({"choices": choices}, Usage(1, 2))


async def test_the_same_request_gets_the_same_answer() -> None:
    """Whole or streamed, whoever is asked under whatever name."""
    cache = AnswerCache()
    cache.store(asked(temperature=0.5), answer("Hello"))
    again = CachedAnswers(cache)
    assert await again.complete(asked(temperature=0.5, stream=True, user="u")) == answer("Hello")
    chunks = [chunk async for chunk in again.stream(asked(temperature=0.5, model="other"))]
    assert [chunk.text for chunk in chunks] == ["Hello", ""]
    assert chunks[-1].usage == Usage(1, 2)


@pytest.mark.parametrize(
    "other", [asked("Ho"), asked(temperature=0.1), asked(seed=1), asked(reasoning_effort="low")]
)
async def test_another_request_gets_none(other: ChatRequest) -> None:
    """Every field counts, also those that mean nothing to us."""
    cache = AnswerCache()
    cache.store(asked(), answer("Hello"))
    again = CachedAnswers(cache)
    assert not again.serves(other)
    with pytest.raises(ServiceUnavailable):
        await again.complete(other)


def test_answers_grow_old(clock: FakeClock) -> None:
    cache = AnswerCache(max_age=60, clock=clock.now)
    cache.store(asked(), answer("Hello"))
    clock.advance(59)
    assert cache.find(asked())
    clock.advance(2)
    assert not cache.find(asked())


def test_the_least_recently_used_goes_first() -> None:
    cache = AnswerCache(max_bytes=2_000)
    for text in ("a", "b"):
        cache.store(asked(text), answer(text))
    assert cache.find(asked("a"))
    cache.store(asked("c"), answer("c"))
    assert [bool(cache.find(asked(text))) for text in "abc"] == [True, False, True]


def test_what_is_larger_than_the_room_is_not_kept() -> None:
    cache = AnswerCache(max_bytes=2_000)
    cache.store(asked(), answer("x" * 2_000))
    assert not cache.find(asked())


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 900)), max_size=40))
def test_room_is_never_exceeded(stored: list[tuple[str, int]]) -> None:
    """And what is found is what was stored last."""
    cache = AnswerCache(max_bytes=4_000)
    latest: dict[str, str] = {}
    for name, length in stored:
        latest[name] = "x" * length
        cache.store(asked(name), answer(latest[name]))
    found = {name: hit.text for name in "abcdef" if (hit := cache.find(asked(name)))}
    assert sum(map(len, found.values())) <= 4_000
    assert found.items() <= latest.items()
    if stored:
        assert stored[-1][0] in found


def test_an_answer_that_was_given_cannot_be_changed_by_who_got_it() -> None:
    cache = AnswerCache()
    cache.store(asked(), answer("Hello"))
    first = cache.find(asked())
    assert first
    first.document["choices"].clear()
    assert cache.find(asked()) == answer("Hello")


async def test_something_can_always_be_said() -> None:
    """As often as was asked for."""
    said = await FixedAnswer("Sorry.").complete(asked(n=2))
    assert [choice["message"]["content"] for choice in said.choices] == ["Sorry.", "Sorry."]
    chunks = [chunk async for chunk in FixedAnswer("Sorry.").stream(asked())]
    assert [chunk.finish_reason for chunk in chunks] == ["stop", None]
