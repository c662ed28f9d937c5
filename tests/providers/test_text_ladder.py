"""A text is continued by the first rung that can, and goes on where it broke off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import InvalidRequest, PartialOutput, ProviderError
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import Chunk, Completion, Usage
from stormproof.providers.continuation import Continuation
from stormproof.providers.ladder import Ladder
from stormproof.providers.local.model import ENGINE_CAPABILITIES
from stormproof.providers.recalling import RecallingRung
from stormproof.providers.rung import Rung
from stormproof.providers.texts import TextRequest

BROKEN = ProviderError(provider="acme", status_code=500)


class Model:
    """Says its script, one entry a call: pieces of a text, or an error after some."""

    def __init__(self, *script: list[str | Exception]) -> None:
        self.requests: list[TextRequest] = []
        self._script = list(script)

    async def complete(self, request: TextRequest) -> Completion:
        text = "".join([chunk.text async for chunk in self.stream(request)])
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return Completion({"choices": [choice]}, Usage())

    async def stream(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        for said in self._script.pop(0):
            if isinstance(said, Exception):
                raise said
            yield Chunk(delta={"content": said})
        yield Chunk(finish_reason="stop")
        yield Chunk(usage=Usage(len(str(request.document["prompt"])), 1))


def rung(name: str, texts: Model | None, **options: Any) -> Rung:
    return Rung(FixedAnswer("chat"), name=name, texts=texts, **options)


def asked(**fields: Any) -> TextRequest:
    return TextRequest({"model": "m", "prompt": "Once", **fields})


async def tell(ladder: Ladder, journey: Journey | None = None, **fields: Any) -> list[Chunk]:
    request = asked(stream=True, **fields)
    async with aclosing(ladder.stream(request, journey or Journey())) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_who_only_chats_is_not_asked() -> None:
    journey = Journey()
    ladder = Ladder("m", [rung("a", None), rung("b", Model([" upon"]))])
    assert (await ladder.complete(asked(), journey)).text == " upon"
    assert journey.asked == ["b"]


async def test_where_all_of_them_do_the_client_is_told_where_to_ask() -> None:
    with pytest.raises(InvalidRequest, match="/v1/chat/completions"):
        await Ladder("m", [rung("a", None)]).complete(asked(), Journey())


async def test_the_rest_of_a_text_is_the_text_of_a_longer_prompt() -> None:
    """No word is asked for twice, and nothing is said that could be misunderstood."""
    second = Model([" upon a"])
    journey = Journey()
    ladder = Ladder("m", [rung("a", Model([" upon", " upon", BROKEN])), rung("b", second)])
    chunks = await tell(ladder, journey, max_tokens=9, suffix=".")
    assert text_of(chunks) == " upon upon upon a"
    [rest] = second.requests
    assert rest.document["prompt"] == "Once upon upon"
    assert (rest.max_tokens, rest.document["suffix"]) == (7, ".")
    assert (journey.asked, journey.rung) == (["a", "b"], "b")


@pytest.mark.parametrize("fields", [{"echo": True}, {"suffix": "."}])
async def test_who_cannot_do_what_is_asked_is_not_asked(fields: dict[str, Any]) -> None:
    """Such as the engine, which goes on with a text, and no more."""
    journey = Journey()
    plain = rung("a", Model(), capabilities=ENGINE_CAPABILITIES)
    ladder = Ladder("m", [plain, rung("b", Model([" upon"]))])
    await ladder.complete(asked(**fields), journey)
    assert journey.asked == ["b"]


async def test_white_space_is_text() -> None:
    second = Model(["End"])
    ladder = Ladder("m", [rung("a", Model(["\n\n", BROKEN])), rung("b", second)])
    assert text_of(await tell(ladder)) == "\n\nEnd"
    assert second.requests[0].document["prompt"] == "Once\n\n"


async def test_tokens_are_counted_as_if_nothing_had_happened() -> None:
    ladder = Ladder("m", [rung("a", Model([" x", BROKEN])), rung("b", Model([" y"]))])
    chunks = await tell(ladder)
    assert chunks[-1].usage == Usage(len("Once x") - 1, 2)


async def test_a_text_that_is_as_long_as_it_may_be_is_at_its_end() -> None:
    second = Model([])
    ladder = Ladder("m", [rung("a", Model([" x", " y", BROKEN])), rung("b", second)])
    chunks = await tell(ladder, max_tokens=2)
    assert (text_of(chunks), chunks[-1].finish_reason) == (" x y", "length")
    assert second.requests == []


async def test_the_same_one_goes_on_where_others_only_chat() -> None:
    """Those who could not are nobody to leave it to."""
    alone = Model([" upon", BROKEN], [" a time"])
    ladder = Ladder("m", [rung("a", alone), rung("b", None)])
    assert text_of(await tell(ladder)) == " upon a time"


@pytest.mark.parametrize(
    "fields",
    [{"prompt": [1, 2]}, {"prompt": ["a", "b"]}, {"n": 2}, {"echo": True}, {"logprobs": 1}],
)
async def test_what_cannot_be_joined_is_said_to_have_broken_off(fields: dict[str, Any]) -> None:
    second = Model([" a"])
    ladder = Ladder("m", [rung("a", Model([" upon", BROKEN])), rung("b", second)])
    with pytest.raises(PartialOutput):
        await tell(ladder, **fields)
    assert second.requests == []


async def test_answers_given_before_and_always_are_answers_to_texts_too() -> None:
    cache = AnswerCache()
    again, sorry = CachedAnswers(cache), FixedAnswer("Sorry.")
    never: dict[str, Any] = {"degraded": True, "continues": Continuation.NEVER}
    rungs = [
        rung("a", Model([" upon"], [BROKEN], [BROKEN])),
        RecallingRung(again),
        Rung(sorry, texts=sorry, **never),
    ]
    ladder = Ladder("m", rungs, cache=cache)
    prompts = ("Once", "Once", "Twice")
    answers = [await ladder.complete(asked(prompt=prompt), Journey()) for prompt in prompts]
    assert [answer.text for answer in answers] == [" upon", " upon", "Sorry."]
