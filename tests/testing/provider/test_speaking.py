"""Somebody speaks for a scripted provider's target, alike through every API that it has."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anthropic
import pytest
from openai import AsyncOpenAI

from stormproof.testing.provider import (
    Answer,
    Api,
    Asked,
    Break,
    Broken,
    Refusal,
    Reply,
    Reset,
    Said,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    ToolCall,
    every,
    vector_of,
)

CALLS = (ToolCall("look", '{"place": "Rome"}'), ToolCall("look", '{"place": "Oslo"}'))
QUESTION = {"role": "user", "content": "Where is it warmer?"}
RESULTS = [
    {"role": "tool", "tool_call_id": CALLS[0].id, "content": "30"},
    {"role": "tool", "tool_call_id": CALLS[1].id, "content": "3"},
]


def guide(conversation: Sequence[Said]) -> Reply:
    """Looks, and compares what it saw."""
    seen = [text for role, text in conversation if role == "tool"]
    return Reply(f"It is {seen[0]} and {seen[1]}.") if seen else Reply("I will look. ", CALLS)


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


@pytest.fixture
def target(provider: ScriptedProvider) -> ScriptedTarget:
    return provider.target("a", says=guide)


@pytest.fixture
async def chat(target: ScriptedTarget) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=target.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def messages(target: ScriptedTarget) -> AsyncIterator[anthropic.AsyncAnthropic]:
    url = target.url.removesuffix("/v1")
    async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


async def test_calls_of_tools_are_openais(chat: AsyncOpenAI) -> None:
    """Whole and put together from a stream, with the same count of tokens."""
    asked: Any = {"model": "m", "messages": [QUESTION]}
    whole = await chat.chat.completions.create(**asked)
    async with chat.chat.completions.stream(
        **asked, stream_options={"include_usage": True}
    ) as events:
        streamed = await events.get_final_completion()
    for answer in (whole, streamed):
        [choice] = answer.choices
        assert choice.message.content == "I will look. "
        assert choice.finish_reason == "tool_calls"
        calls: Any = choice.message.tool_calls
        assert [(call.id, call.function.arguments) for call in calls] == [
            (call.id, call.arguments) for call in CALLS
        ]
        assert answer.usage is not None
        assert answer.usage.completion_tokens == Reply("I will look. ", CALLS).tokens == 9


async def test_calls_of_tools_are_anthropics(messages: anthropic.AsyncAnthropic) -> None:
    """The same ones."""
    asked: Any = {"model": "m", "messages": [QUESTION], "max_tokens": 99}
    whole = await messages.messages.create(**asked)
    async with messages.messages.stream(**asked) as events:
        streamed = await events.get_final_message()
    for answer in (whole, streamed):
        parts: list[Any] = [*answer.content]
        text, *calls = parts
        assert text.text == "I will look. "
        assert answer.stop_reason == "tool_use"
        assert [(call.id, call.input) for call in calls] == [
            (call.id, json.loads(call.arguments)) for call in CALLS
        ]
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 9)


async def test_a_conversation_is_the_same_in_both(
    chat: AsyncOpenAI, messages: anthropic.AsyncAnthropic
) -> None:
    """What tools returned is heard, and answered."""
    told: Any = [QUESTION, {"role": "assistant", "content": "I will look. "}, *RESULTS]
    one = await chat.chat.completions.create(model="m", messages=told)
    results: Any = [
        {"type": "tool_result", "tool_use_id": sent["tool_call_id"], "content": sent["content"]}
        for sent in RESULTS
    ]
    taken: Any = [*told[:2], {"role": "user", "content": results}]
    other = await messages.messages.create(model="m", max_tokens=99, messages=taken)
    [said] = other.content
    assert said.type == "text"
    assert one.choices[0].message.content == said.text == "It is 30 and 3."


@pytest.mark.parametrize(
    ("wish", "prompt"), [([], 22), ([{"role": "user", "content": "Go on, yes."}], 24)]
)
async def test_a_reply_that_was_begun_is_continued(
    chat: AsyncOpenAI, messages: anthropic.AsyncAnthropic, wish: Sequence[Any], prompt: int
) -> None:
    """Its beginning is part of the prompt now, and so is a wish."""
    told: Any = [QUESTION, {"role": "assistant", "content": "I will"}, *wish]
    one = await chat.chat.completions.create(model="m", messages=told)
    other = await messages.messages.create(model="m", max_tokens=99, messages=told)
    assert one.choices[0].message.content == " look. "
    assert one.usage is not None
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (prompt, 7)
    assert (other.usage.input_tokens, other.usage.output_tokens) == (prompt, 7)


async def test_calls_are_made_when_all_before_them_was_said(chat: AsyncOpenAI) -> None:
    """They are never begun."""
    told: Any = [QUESTION, {"role": "assistant", "content": "I will look. "}, QUESTION]
    answer = await chat.chat.completions.create(model="m", messages=told)
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == (None, "tool_calls")


async def test_a_whole_reply_is_not_continued_by_a_question(chat: AsyncOpenAI) -> None:
    """It belongs to the conversation."""
    said = {"role": "assistant", "content": "It is 30 and 3."}
    told: Any = [QUESTION, *RESULTS, said, QUESTION]
    answer = await chat.chat.completions.create(model="m", messages=told)
    assert answer.choices[0].message.content == "It is 30 and 3."


@pytest.mark.parametrize(("begun", "rest"), [("", "I will look. "), ("I will", " look. ")])
async def test_texts_are_continued(chat: AsyncOpenAI, begun: str, rest: str) -> None:
    """Also where a text ends with a beginning of the reply."""
    asked: Any = {"model": "m", "prompt": f"Where is it warmer? {begun}"}
    whole = await chat.completions.create(**asked)
    counted: Any = {"include_usage": True}
    stream = await chat.completions.create(**asked, stream=True, stream_options=counted)
    chunks = [chunk async for chunk in stream]
    assert whole.choices[0].text == rest
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == rest
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    tokens = len(rest.split())
    assert whole.usage == chunks[-1].usage
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (23 - tokens, tokens)


async def test_texts_are_embedded(chat: AsyncOpenAI) -> None:
    """Each has its own vector."""
    plain = await chat.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    packed = await chat.embeddings.create(model="m", input="a")
    assert [tuple(entry.embedding) for entry in plain.data] == [vector_of("a"), vector_of("b")]
    assert tuple(packed.data[0].embedding) == vector_of("a") != vector_of("b")
    assert (plain.usage.total_tokens, packed.usage.total_tokens) == (2, 1)


async def test_a_stream_of_anthropics_breaks(
    provider: ScriptedProvider, messages: anthropic.AsyncAnthropic
) -> None:
    """Behind so many tokens; those of a call's arguments count."""
    provider.target("a", Broken(Break.ERROR, 5), says=guide)
    asked: Any = {"model": "m", "messages": [QUESTION], "max_tokens": 99}
    stream = await messages.messages.create(**asked, stream=True)
    received: list[Any] = []

    async def listen() -> None:
        async for event in stream:
            received.append(event)  # noqa: PERF401 - what came before the error stays

    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        await listen()
    deltas = [event.delta for event in received if event.type == "content_block_delta"]
    assert [delta.type for delta in deltas] == ["text_delta"] * 3 + ["input_json_delta"] * 2


async def test_refusals_are_in_the_form_of_who_was_called(
    provider: ScriptedProvider, messages: anthropic.AsyncAnthropic
) -> None:
    provider.target("a", Refusal(529))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await messages.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        )
    assert caught.value.status_code == 529
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "the script says so"},
    }


def asked(content: str) -> Asked:
    body = {"messages": [{"role": "user", "content": content}], "system": "Be brief."}
    return Asked(Api.CHAT, json.dumps(body).encode())


def test_every_so_many_th_call_fails_the_next_way() -> None:
    """Whoever shares the script counts together."""
    script = every(3, Reset(), Refusal(500))
    one, other = ScriptedTarget("", script), ScriptedTarget("", script)
    taken: list[Step] = [target.take(asked("Hi")) for target in (one, other) * 4]
    good = Answer()
    assert taken == [good, good, Reset(), good, good, Refusal(500), good, good]


def test_a_function_decides_upon_the_request() -> None:
    """And may be one step of several."""
    target = ScriptedTarget("", Reset(), lambda it: Answer(len(it.conversation[-1].text)))
    assert [target.take(asked(text)) for text in ("a", "b", "cc")] == [
        Reset(),
        Answer(1),
        Answer(2),
    ]
    assert asked("a").conversation == (Said("system", "Be brief."), Said("user", "a"))
