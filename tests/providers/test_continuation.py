"""Wherever an answer breaks off, however a model goes on with it, the client gets one answer."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stormproof.errors import ConnectionLost, ParsingError, PartialOutput
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import ChatRequest, Chunk, Completion, Document, Usage
from stormproof.providers.collector import Collector
from stormproof.providers.continuation import Continuation
from stormproof.providers.ladder import Ladder
from stormproof.providers.rung import Rung
from stormproof.providers.seam import LEAST

STORY = (
    "Once upon a time, there was a king. He had 2020 rings, and mama said:\n\n"
    "    def very(very):\n        return very, very\n\n| a | b | c | d |\n|---|---|---|---|\n"
    "Then ... nothing. »Ça va«, sagte er; 0, 0, 0, 0, 0, 0, 1. Das war's."
)
DOCUMENT = json.dumps({"name": "Ann Ott", "ages": [0, 0, 0, 0, 0, 0], "nested": {"a": [{"b": 1}]}})
CALL = {"a": "x" * 20, "b": [1, 2, {"c": None}]}

Speaker = Callable[[str, str, str], str]
"""Makes what a model says of what was delivered, what is left, and what it was asked."""


def exact(_text: str, rest: str, _asked: str) -> str:
    """Go on with the very next character."""
    return rest


def begin_as_asked(_text: str, rest: str, asked: str) -> str:
    """Begin with the words that were asked for."""
    return asked.partition("\n\n")[2] + rest


def begin_with_dots(text: str, rest: str, asked: str) -> str:
    return f"… {begin_as_asked(text, rest, asked)}"


def begin_anew(text: str, rest: str, _asked: str) -> str:
    """Say everything again."""
    return text + rest


def begin_anew_with_other_space(text: str, rest: str, _asked: str) -> str:
    return f"\n{' '.join(text.split())}{text[len(text.rstrip()) :]}{rest}"


def begin_with_the_last_line(text: str, rest: str, _asked: str) -> str:
    return last_line(text) + rest


def last_line(text: str) -> str:
    return text[text.rstrip().rfind("\n") + 1 :]


class Model:
    """Streams pieces, and then a failure or its end."""

    def __init__(self, name: str, say: Callable[[ChatRequest], Sequence[Chunk | Exception]]):
        self.name = name
        self.requests: list[ChatRequest] = []
        self._say = say

    async def complete(self, request: ChatRequest) -> Completion:
        raise NotImplementedError

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        yield Chunk(delta={"role": "assistant", "content": ""})
        for said in self._say(request):
            if isinstance(said, Exception):
                raise said
            yield said


CUT = ConnectionLost(reason="cut")


def in_pieces(text: str, size: int, **fields: Any) -> list[Chunk]:
    return [
        Chunk(delta={"content": text[place : place + size]}, **fields)
        for place in range(0, len(text), size)
    ]


def cut_at(text: str, size: int) -> Model:
    """A model whose stream breaks off behind this text."""
    return Model("a", lambda _: [*in_pieces(text, size), CUT])


def going_on(text: str, rest: str, size: int, speaker: Speaker) -> Model:
    def say(request: ChatRequest) -> Sequence[Chunk]:
        asked = str(request.messages[-1].content)
        return [*in_pieces(speaker(text, rest, asked), size), Chunk(finish_reason="stop")]

    return Model("b", say)


async def heard(first: Model, second: Model, way: Continuation, **fields: Any) -> Completion:
    """Return what the client makes of the stream of both."""
    rungs = [Rung(first, continues=Continuation.NEVER), Rung(second, continues=way)]
    return await heard_of(Ladder("m", rungs), **fields)


async def heard_of(ladder: Ladder, **fields: Any) -> Completion:
    """Return what the client makes of a stream."""
    messages = [{"role": "user", "content": "Hi"}]
    request = ChatRequest({"model": "m", "messages": messages, "stream": True, **fields})
    collector = Collector()
    async with aclosing(ladder.stream(request, Journey())) as chunks:
        async for chunk in chunks:
            collector.add(chunk)
    answer = collector.completion()
    assert answer
    return answer


places = st.integers(8, len(STORY) - 1)
sizes = st.integers(1, 9)
by_itself = st.sampled_from([exact, begin_anew, begin_anew_with_other_space])
as_asked = st.sampled_from(
    [exact, begin_as_asked, begin_with_dots, begin_anew, begin_anew_with_other_space]
)


@given(places, sizes, sizes)
async def test_an_exact_rest_is_left_as_it_is(place: int, before: int, after: int) -> None:
    """Whatever it looks like: no character of it is taken for a repetition."""
    text, rest = STORY[:place], STORY[place:]
    second = going_on(text, rest, after, exact)
    answer = await heard(cut_at(text, before), second, Continuation.EXACT)
    assert answer.text == STORY


@given(places, sizes, sizes, by_itself)
async def test_a_model_that_goes_on_by_itself_repeats_nothing_or_all(
    place: int, before: int, after: int, speaker: Speaker
) -> None:
    text, rest = STORY[:place], STORY[place:]
    second = going_on(text, rest, after, speaker)
    answer = await heard(cut_at(text, before), second, Continuation.PREFILL)
    assert_one_answer(answer, text, rest)


@given(places, sizes, sizes, as_asked)
async def test_a_model_that_is_asked_to_go_on_may_repeat_what_it_wants(
    place: int, before: int, after: int, speaker: Speaker
) -> None:
    text, rest = STORY[:place], STORY[place:]
    second = going_on(text, rest, after, speaker)
    answer = await heard(cut_at(text, before), second, Continuation.INSTRUCTION)
    assert_one_answer(answer, text, rest)


@given(st.integers(20, STORY.index("|---|")), sizes, sizes)
async def test_such_as_its_last_line(place: int, before: int, after: int) -> None:
    """If that is long enough not to be the same by chance."""
    text, rest = STORY[:place], STORY[place:]
    assume(len("".join(last_line(text).split())) >= LEAST)
    second = going_on(text, rest, after, begin_with_the_last_line)
    answer = await heard(cut_at(text, before), second, Continuation.INSTRUCTION)
    assert_one_answer(answer, text, rest)


def assert_one_answer(answer: Completion, text: str, rest: str) -> None:
    """White space on both sides of the seam may have become one."""
    space = text[len(text.rstrip()) :]
    assert answer.text in (text + rest, text + rest.removeprefix(space))


async def test_what_was_only_thought_begins_no_answer() -> None:
    """Another model is asked for all of it, and its thoughts are its own."""
    thought = Chunk(delta={"reasoning_content": "Hm."})
    said = [Chunk(delta={"reasoning_content": "So"}), *in_pieces("A", 1)]
    second = Model("b", lambda _: [*said, Chunk(finish_reason="stop")])
    answer = await heard(Model("a", lambda _: [thought, CUT]), second, Continuation.INSTRUCTION)
    message = answer.choices[0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("A", "Hm.")
    assert [one.role for one in second.requests[0].messages] == ["user"]


async def test_a_refusal_to_go_on_is_heard() -> None:
    refusal = Chunk(delta={"refusal": "No."}, finish_reason="content_filter")
    answer = await heard(cut_at(STORY, 4), Model("b", lambda _: [refusal]), Continuation.PREFILL)
    assert answer.choices[0]["message"]["refusal"] == "No."


WAYS = st.sampled_from([Continuation.EXACT, Continuation.PREFILL, Continuation.INSTRUCTION])


class TestDocuments:
    """An answer that has to be JSON is JSON, or ends with an error."""

    @given(st.integers(1, len(DOCUMENT) - 1), sizes, WAYS)
    async def test_it_is_one_document(self, place: int, size: int, way: Continuation) -> None:
        text, rest = DOCUMENT[:place], DOCUMENT[place:]
        speaker = begin_as_asked if way is Continuation.INSTRUCTION else exact
        second = going_on(text, rest, size, speaker)
        form = {"type": "json_object"}
        answer = await heard(cut_at(text, size), second, way, response_format=form)
        assert json.loads(answer.text) == json.loads(DOCUMENT)
        kept = way is Continuation.EXACT
        assert ("response_format" in second.requests[0].document) is kept

    async def test_a_rest_that_does_not_fit_is_not_seen(self) -> None:
        """Somebody else is asked for one that does."""
        text, rest = DOCUMENT[:40], DOCUMENT[40:]
        wrong, right = going_on(text, "}}}", 1, exact), going_on(text, rest, 1, exact)
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
        rungs = [Rung(cut_at(text, 4)), Rung(wrong), Rung(right, name="c")]
        ladder = Ladder("m", rungs)
        assert (await heard_of(ladder, response_format=form)).text == DOCUMENT

    async def test_if_there_is_none_that_is_told(self) -> None:
        text = DOCUMENT[:40]
        wrong = going_on(text, "}}}", 1, exact)
        form = {"type": "json_object"}
        with pytest.raises(PartialOutput) as caught:
            await heard(cut_at(text, 4), wrong, Continuation.PREFILL, response_format=form)
        assert isinstance(caught.value.__cause__, ParsingError)

    async def test_one_that_was_cut_short_by_its_limit_says_so(self) -> None:
        short = Model("b", lambda _: [*in_pieces("1, ", 1), Chunk(finish_reason="length")])
        first = cut_at(DOCUMENT[:40], 4)
        form = {"type": "json_object"}
        answer = await heard(first, short, Continuation.PREFILL, response_format=form)
        assert answer.choices[0]["finish_reason"] == "length"


class TestCalls:
    """Wherever a stream with calls of tools is cut, each is whole and there once."""

    @given(st.integers(0, 60), st.lists(sizes, min_size=1, max_size=3), WAYS)
    async def test_they_begin_again(
        self, place: int, sizes: Sequence[int], way: Continuation
    ) -> None:
        chunks = [*in_pieces("Let me see what I can find.", 4), *calls_in_pieces(sizes)]
        first = Model("a", lambda _: [*chunks[:place], CUT])
        spoken = [*calls_in_pieces([7] * len(sizes)), Chunk(finish_reason="tool_calls")]
        answer = await heard(first, Model("b", lambda _: spoken), way)
        made = answer.choices[0]["message"]["tool_calls"]
        assert [json.loads(call["function"]["arguments"]) for call in made] == [CALL] * len(sizes)
        assert [call["id"] for call in made] == [f"c{n}" for n in range(len(sizes))]

    async def test_who_does_not_number_them_is_understood(self) -> None:
        chunks = calls_in_pieces([4, 9])
        for chunk in chunks:
            del chunk.delta["tool_calls"][0]["index"]
        model = Model("a", lambda _: [*chunks, Chunk(finish_reason="tool_calls")])
        answer = await heard_of(Ladder("m", [Rung(model)]))
        made = answer.choices[0]["message"]["tool_calls"]
        assert [json.loads(call["function"]["arguments"]) for call in made] == [CALL] * 2

    async def test_one_that_was_cut_short_by_its_limit_says_so(self) -> None:
        """It broke nothing, and another would end there too."""
        chunks = [*calls_in_pieces([4])[:2], Chunk(finish_reason="length")]
        other = Model("b", lambda _: [])
        answer = await heard(Model("a", lambda _: chunks), other, Continuation.PREFILL)
        assert answer.choices[0]["finish_reason"] == "length"
        assert not other.requests


def calls_in_pieces(sizes: Sequence[int]) -> list[Chunk]:
    """Return the chunks of calls, the arguments of each cut into pieces of this size."""
    chunks, arguments = [], json.dumps(CALL)
    for number, size in enumerate(sizes):
        named: Document = {"id": f"c{number}", "type": "function"}
        name: Document = {"name": "f"}
        for place in range(0, len(arguments), size):
            function = {**name, "arguments": arguments[place : place + size]}
            call = {"index": number, **named, "function": function}
            chunks.append(Chunk(delta={"tool_calls": [call]}))
            named, name = {}, {}
    return chunks


class TestTokens:
    """They are counted, and weighed, as if one model had said everything."""

    @given(st.integers(8, 90), WAYS, st.booleans())
    async def test_each_is_weighed_once(self, place: int, way: Continuation, again: bool) -> None:
        text, rest = STORY[:place], STORY[place:100]
        first = Model("a", lambda _: [*weighed(text), CUT])
        anew = again and way is not Continuation.EXACT
        said = [*weighed(text if anew else ""), *weighed(rest), Chunk(finish_reason="stop")]
        answer = await heard(first, Model("b", lambda _: said), way, logprobs=True)
        told = "".join(token["token"] for token in answer.choices[0]["logprobs"]["content"])
        assert "".join(told.split()) == "".join(answer.text.split())  # of half a token all is told

    @pytest.mark.parametrize("way", [Continuation.EXACT, Continuation.PREFILL])
    @pytest.mark.parametrize("anew", [False, True])
    async def test_they_are_counted_as_the_client_has_them(
        self, way: Continuation, anew: bool
    ) -> None:
        """Of the prompt those that it asked with, of the answer those that it got."""
        words = [f"w{n} " for n in range(20)]
        anew = anew and way is Continuation.PREFILL
        count = Usage(10 + 8, 20 if anew else 12)
        said = [*pieces(words[0 if anew else 8 :]), Chunk(finish_reason="stop"), Chunk(usage=count)]
        first = Model("a", lambda _: [*pieces(words[:8]), CUT])
        answer = await heard(first, Model("b", lambda _: said), way)
        assert answer.text == "".join(words)
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 20)

    async def test_the_instruction_is_none_of_theirs(self) -> None:
        words = [f"w{n} " for n in range(20)]

        def say(request: ChatRequest) -> Sequence[Chunk]:
            added = len(str(request.messages[-1].content)) // 4
            usage = Usage(10 + 8 + added, 12)
            return [*pieces(words[8:]), Chunk(finish_reason="stop"), Chunk(usage=usage)]

        first = Model("a", lambda _: [*pieces(words[:8]), CUT])
        answer = await heard(first, Model("b", say), Continuation.INSTRUCTION)
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 20)

    async def test_words_that_are_asked_for_again_are_counted_once(self) -> None:
        """However long they are beside the others."""
        words = [*(f"long-word-{n:03} " for n in range(10)), *(f"{n} " for n in range(40))]

        def say(request: ChatRequest) -> Sequence[Chunk]:
            added = len(str(request.messages[-1].content)) // 4
            asked = str(request.messages[-1].content).partition("\n\n")[2].split()
            again = [*(f"{word} " for word in asked), *words[30:]]
            usage = Usage(10 + 30 + added, len(again))
            return [*pieces(again), Chunk(finish_reason="stop"), Chunk(usage=usage)]

        first = Model("a", lambda _: [*pieces(words[:30]), CUT])
        answer = await heard(first, Model("b", say), Continuation.INSTRUCTION)
        assert answer.text == "".join(words)
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 50)

    async def test_words_that_were_held_back_at_a_seam_are_counted_at_the_next(self) -> None:
        """They may have been a repetition; each is a token, though they come at once."""
        words = [*(f"w{n} " for n in range(8)), "w2 ", "w3 ", *(f"x{n} " for n in range(10))]

        def say(request: ChatRequest) -> Sequence[Chunk | Exception]:
            if len(second.requests) == 1:
                return [*pieces(words[8:13]), CUT]
            added = len(str(request.messages[-1].content)) // 4
            usage = Usage(10 + 13 + added, 7)
            return [*pieces(words[13:]), Chunk(finish_reason="stop"), Chunk(usage=usage)]

        second = Model("b", say)
        answer = await heard(
            Model("a", lambda _: [*pieces(words[:8]), CUT]), second, Continuation.INSTRUCTION
        )
        assert answer.text == "".join(words)
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 20)

    async def test_a_long_piece_is_several(self) -> None:
        """Some providers send a sentence at a time."""
        first = Model("a", lambda _: [*pieces(["x" * 400]), CUT])
        second = going_on("", "y", 1, exact)
        await heard(first, second, Continuation.EXACT, max_tokens=150)
        assert second.requests[0].max_tokens == 50


def weighed(text: str) -> list[Chunk]:
    """Return a text in pieces of two tokens, with how likely those were."""
    tokens = [text[place : place + 3] for place in range(0, len(text), 3)]
    groups = [tokens[place : place + 2] for place in range(0, len(tokens), 2)]
    return [
        Chunk(
            delta={"content": "".join(group)},
            logprobs={"content": [{"token": token, "logprob": -1.0} for token in group]},
        )
        for group in groups
    ]


def pieces(texts: Sequence[str]) -> list[Chunk]:
    return [Chunk(delta={"content": text}) for text in texts]
