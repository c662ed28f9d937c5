"""The engine answers as any provider does, and goes on with what another began."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from stormproof.engine import AsyncLLM, EngineConfig, Output
from stormproof.errors import ConnectionLost, ContextTooLong, InvalidRequest
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Continuation,
    FixedAnswer,
    Journey,
    Ladder,
    Question,
    Rung,
    TextRequest,
)
from stormproof.providers.local.model import EngineModel


class Limits:
    """Roomy ones."""

    max_prompt_chars = 100_000
    max_choices = 8
    max_tokens = 256
    default_max_tokens = 16
    default_temperature = 0.0


async def unwatched(
    index: int, stream: AsyncGenerator[Output, None]
) -> AsyncGenerator[tuple[int, Output], None]:
    async with aclosing(stream):
        async for piece in stream:
            yield index, piece


@pytest.fixture(scope="module")
def engine(model_path: Path) -> Iterator[AsyncLLM]:
    """The real model, in its own process."""
    with AsyncLLM.load(EngineConfig(model=str(model_path), num_blocks=256)) as llm:
        yield llm


@pytest.fixture
def model(engine: AsyncLLM) -> EngineModel:
    return EngineModel(engine, Limits(), unwatched)


def asked(*messages: tuple[str, str], **fields: Any) -> ChatRequest:
    said = [{"role": role, "content": content} for role, content in messages]
    return ChatRequest({"model": "m", "messages": said, "max_tokens": 12, **fields})


class Cut(EngineModel):
    """Begins an answer, and breaks off."""

    def __init__(self, begun: str, engine: AsyncLLM) -> None:
        super().__init__(engine, Limits(), unwatched)
        self._text = begun

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk(0, {"content": self._text})
        raise ConnectionResetError


QUESTION = ("user", "Name three primary colours.")


async def streamed(model: EngineModel, request: ChatRequest) -> list[Chunk]:
    async with aclosing(model.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


async def test_it_answers_whole_and_piece_by_piece(model: EngineModel) -> None:
    """With the same words, and the tokens that they took."""
    completion = await model.complete(asked(QUESTION))
    chunks = await streamed(model, asked(QUESTION))
    assert completion.text == "".join(chunk.text for chunk in chunks)
    assert completion.usage == chunks[-1].usage
    assert completion.usage.completion_tokens == 12
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["length"]
    assert chunks[0].delta["role"] == "assistant"


async def test_it_goes_on_with_what_was_said_of_the_answer(model: EngineModel) -> None:
    """As it would have gone on itself."""
    whole = (await model.complete(asked(QUESTION, max_tokens=24))).text
    begun = (await model.complete(asked(QUESTION, max_tokens=8))).text
    rest = (await model.complete(asked(QUESTION, ("assistant", begun), max_tokens=16))).text
    assert begun + rest == whole


async def test_it_goes_on_with_a_stream_that_another_left(
    engine: AsyncLLM, model: EngineModel
) -> None:
    """The client gets one answer."""
    begun = (await model.complete(asked(QUESTION, max_tokens=8))).text

    cut = Rung(Cut(begun, engine), name="cut", continues=Continuation.NEVER)
    both = Ladder("m", [cut, Rung(model, continues=Continuation.EXACT)])
    async with aclosing(both.stream(asked(QUESTION, stream=True), Journey())) as chunks:
        text = "".join([chunk.text async for chunk in chunks])
    assert text.startswith(begun)
    assert len(text) > len(begun)


@pytest.mark.parametrize("begun", ['{"colour": "r', '{\n  "col', '{"colour":"red"}'])
async def test_a_document_that_another_left_is_completed(
    engine: AsyncLLM, model: EngineModel, begun: str
) -> None:
    """As the schema has it, whatever the model would rather say."""
    one = {"type": "object", "properties": {"colour": {"enum": ["red"]}}, "required": ["colour"]}
    schema = {"name": "n", "schema": {**one, "additionalProperties": False}}
    form = {"type": "json_schema", "json_schema": schema}
    first = Rung(Cut(begun, engine), name="cut", continues=Continuation.NEVER)
    both = Ladder("m", [first, Rung(model, continues=Continuation.EXACT)])
    request = asked(QUESTION, stream=True, response_format=form, max_tokens=100)
    async with aclosing(both.stream(request, Journey())) as chunks:
        heard = [chunk async for chunk in chunks]
    assert json.loads("".join(chunk.text for chunk in heard)) == {"colour": "red"}
    assert [chunk.finish_reason for chunk in heard if chunk.finish_reason] == ["stop"]


async def test_fields_for_others_are_left_aside(model: EngineModel) -> None:
    request = asked(QUESTION, reasoning_effort="low", service_tier="auto", web_search_options={})
    request.document["messages"][0]["cache_control"] = {"type": "ephemeral"}
    assert (await model.complete(request)).text


async def test_answers_have_the_form_that_was_asked_for(model: EngineModel) -> None:
    named = {"name": "n", "schema": {"enum": ["red"]}}
    request = asked(QUESTION, response_format={"type": "json_schema", "json_schema": named})
    assert (await model.complete(request)).text == '"red"'


async def test_several_answers_come_at_once(model: EngineModel) -> None:
    """Each with its own number, all from one prompt."""
    completion = await model.complete(asked(QUESTION, n=3, temperature=1.0, seed=1, logprobs=True))
    assert [choice["index"] for choice in completion.choices] == [0, 1, 2]
    alone = await model.complete(asked(QUESTION))
    assert completion.usage.prompt_tokens == alone.usage.prompt_tokens


async def test_tokens_may_be_weighed(model: EngineModel) -> None:
    chunks = await streamed(model, asked(QUESTION, logprobs=True, top_logprobs=2, max_tokens=3))
    weighed = [token for chunk in chunks if chunk.logprobs for token in chunk.logprobs["content"]]
    assert len(weighed) == 3
    completion = await model.complete(asked(QUESTION, logprobs=True, top_logprobs=2, max_tokens=3))
    assert completion.choices[0]["logprobs"]["content"] == weighed
    assert all(len(token["top_logprobs"]) == 2 for token in weighed)


async def test_tools_are_called(model: EngineModel) -> None:
    parameters = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    completion = await model.complete(
        asked(QUESTION, tools=[tool], tool_choice="required", max_tokens=60)
    )
    [call] = completion.choices[0]["message"]["tool_calls"]
    assert call["function"]["name"] == "f"
    assert completion.choices[0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"temperature": 9}, InvalidRequest),
        ({"max_tokens": 257}, InvalidRequest),
        ({"top_logprobs": 2}, InvalidRequest),
        (
            {"max_tokens": 250, "messages": [{"role": "user", "content": "x " * 9_000}]},
            ContextTooLong,
        ),
    ],
)
async def test_what_it_cannot_do_is_said(
    model: EngineModel, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await model.complete(asked(QUESTION, **fields))


async def test_who_leaves_is_not_computed_for(engine: AsyncLLM, model: EngineModel) -> None:
    task = asyncio.create_task(model.complete(asked(QUESTION, max_tokens=256, ignore_eos=True)))
    while not engine.stats().running:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.005)
    task.cancel()
    while engine.stats().running:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert task.cancelled()


class TestTexts:
    """It continues texts as well."""

    async def test_whole_and_piece_by_piece(self, model: EngineModel) -> None:
        request = text("The capital of France is", logprobs=1)
        completion = await model.texts.complete(request)
        async with aclosing(model.texts.stream(request)) as stream:
            chunks = [chunk async for chunk in stream]
        assert completion.text == "".join(chunk.text for chunk in chunks)
        assert completion.usage == chunks[-1].usage
        assert completion.usage.completion_tokens == 6
        logprobs = completion.choices[0]["logprobs"]
        assert "".join(logprobs["tokens"]) == completion.text
        assert logprobs["text_offset"][0] == 0

    async def test_each_of_several(self, model: EngineModel) -> None:
        alone = [await model.texts.complete(text(prompt)) for prompt in ("One, two,", "A, b,")]
        both = await model.texts.complete(text(["One, two,", "A, b,"]))
        assert [choice["message"]["content"] for choice in both.choices] == [
            answer.text for answer in alone
        ]

    async def test_it_goes_on_where_another_left_off(self, model: EngineModel) -> None:
        """With exactly what it would have said itself."""
        whole = (await model.texts.complete(text("Once upon a time", max_tokens=12))).text
        begun = (await model.texts.complete(text("Once upon a time", max_tokens=4))).text

        class Leaving(FixedAnswer):
            async def stream(self, _: Question) -> AsyncGenerator[Chunk, None]:
                for letter in begun[: len(begun) // 2], begun[len(begun) // 2 :]:
                    yield Chunk(delta={"content": letter})
                raise ConnectionLost(reason="gone")

        leaving = Leaving("")
        rungs = [Rung(leaving, texts=leaving), Rung(model, texts=model.texts)]
        request = text("Once upon a time", stream=True, max_tokens=10)
        async with aclosing(Ladder("m", rungs).stream(request, Journey())) as chunks:
            heard = "".join([chunk.text async for chunk in chunks])
        assert heard == whole

    async def test_what_it_cannot_understand_is_refused_by_name(self, model: EngineModel) -> None:
        for fields in ({"temperature": "hot"}, {"echo": True}):
            with pytest.raises(InvalidRequest) as caught:
                await model.texts.complete(text("Once", **fields))
            assert (caught.value.param or "").startswith(*fields)


def text(prompt: object, **fields: Any) -> TextRequest:
    return TextRequest({"model": "m", "prompt": prompt, "max_tokens": 6, **fields})
