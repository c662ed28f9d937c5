"""OpenAI's own client asks for responses, whoever answers."""

import json
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

from stormproof.engine import AsyncLLM
from stormproof.errors import from_wire
from stormproof.testing.provider import (
    Break,
    Broken,
    Refusal,
    Reply,
    Step,
    ToolCall,
    text_of,
)
from support.ladder_server import KEY, serving_ladders
from support.scripted_engine import make_core
from support.scripted_rungs import ScriptedRungs

TEXT = text_of(32)
TOOL: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


def official(url: str, stack: AsyncExitStack) -> openai.AsyncOpenAI:
    made = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    stack.push_async_callback(made.close)
    return made


async def ask(client: openai.AsyncOpenAI, *, streams: bool, **fields: Any) -> Any:
    """Return the response, put together by the client if it comes in a stream."""
    fields = {"model": "chat", "input": "Hi", **fields}
    if not streams:
        return await client.responses.create(**fields)
    async with client.responses.stream(**fields) as stream:
        return await stream.get_final_response()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_a_text_is_answered_with_a_text(
    gateway: ScriptedRungs, api: str, streams: bool
) -> None:
    """With who answered, and the tokens."""
    asked = await gateway.connect(official, gateway.rung(api))
    response = await ask(asked, streams=streams, temperature=0.5)
    assert response.output_text == TEXT
    assert (response.status, response.object, response.model) == ("completed", "response", "chat")
    assert (response.temperature, response.store) == (0.5, False)
    usage = response.usage
    assert usage.output_tokens == 32
    assert usage.total_tokens == usage.input_tokens + 32
    assert response.stormproof == {"rung": "rung-0", "attempts": 1, "degraded": False}
    assert (await ask(asked, streams=False)).id != response.id


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_functions_are_called_and_their_results_are_heard(
    gateway: ScriptedRungs, api: str, streams: bool
) -> None:
    """What the client got goes back as it came, with the results behind it."""
    calls = ToolCall("f", '{"a": [1, "é"]}'), ToolCall("g")
    asked = await gateway.connect(official, gateway.rung(api, reply=Reply("Wait. ", calls)))
    tools = [TOOL, {**TOOL, "name": "g"}]
    response = await ask(asked, streams=streams, tools=tools)
    message, first, second = response.output
    assert message.content[0].text == "Wait. "
    assert (first.type, first.name, json.loads(first.arguments)) == (
        "function_call",
        "f",
        {"a": [1, "é"]},
    )
    assert (first.call_id, second.name) == (calls[0].id, "g")
    told = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "done"}
        for call in (first, second)
    ]
    user: Any = {"role": "user", "content": "Hi"}
    answered = await gateway.connect(official, gateway.rung("openai"))
    response = await ask(answered, streams=streams, input=[user, *response.output, *told])
    assert response.output_text == TEXT
    _, said, *results = json.loads(gateway.targets[1].body)["messages"]
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["f", "g"]
    assert [result["content"] for result in results] == ["done", "done"]


class Place(BaseModel):
    name: str


async def test_an_answer_has_the_form_that_was_asked_for(gateway: ScriptedRungs) -> None:
    """By the client's own way to ask for it."""
    asked = await gateway.connect(official, gateway.rung("openai", reply=Reply('{"name": "Oslo"}')))
    response = await asked.responses.parse(model="chat", input="Where?", text_format=Place)
    assert response.output_parsed == Place(name="Oslo")
    form = json.loads(gateway.targets[0].body)["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"]["required"] == ["name"]


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_a_stream_that_breaks_is_gone_on_with(gateway: ScriptedRungs, api: str) -> None:
    """In one item, with every word once."""
    broken = gateway.rung(api, Broken(Break.CUT, 5))
    asked = await gateway.connect(official, broken, gateway.rung("openai"))
    response = await ask(asked, streams=True)
    assert (response.output_text, len(response.output)) == (TEXT, 1)
    assert [target.calls for target in gateway.targets] == [1, 1]


async def test_a_stream_that_nobody_goes_on_with_has_failed(gateway: ScriptedRungs) -> None:
    """With what there is of it, and our error; it is not said to be complete."""
    asked = await gateway.connect(official, gateway.rung("openai", Broken(Break.ERROR, 5)))
    events = [
        event
        async for event in await asked.responses.create(
            model="chat",
            input="Hi",
            stream=True,
            extra_headers={"x-stormproof-stream": "fail"},
        )
    ]
    failed: Any = events[-1]
    assert failed.type == "response.failed"
    assert failed.response.status == "failed"
    assert failed.response.output_text == text_of(5)
    assert failed.response.output[0].status == "incomplete"
    error = failed.response.error
    assert error.code == "LLM_API_ERROR"
    assert from_wire({"error": error.model_dump()}).code == "LLM_API_ERROR"


@pytest.mark.parametrize("streams", [False, True])
async def test_a_failure_is_one_that_the_client_knows(
    gateway: ScriptedRungs, streams: bool
) -> None:
    asked = await gateway.connect(official, gateway.rung("openai", Refusal(429, 7)))
    with pytest.raises(openai.RateLimitError) as caught:
        await ask(asked, streams=streams)
    assert caught.value.code == "RATE_LIMIT_EXCEEDED"
    step: Step = Refusal(500)
    with pytest.raises(openai.InternalServerError):
        await ask(await gateway.connect(official, gateway.rung("openai", step)), streams=streams)


async def test_nothing_is_kept_for_later(gateway: ScriptedRungs) -> None:
    """Who wants that is told, before anybody is asked."""
    asked = await gateway.connect(official, gateway.rung("openai"))
    for field, value in {"previous_response_id": "resp_1", "store": True}.items():
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(asked, streams=False, **{field: value})
        assert (caught.value.code, caught.value.param) == ("INVALID_REQUEST", field)
    assert gateway.targets[0].calls == 0


@pytest.mark.parametrize("streams", [False, True])
async def test_the_model_of_the_engine_answers(stack: AsyncExitStack, streams: bool) -> None:
    """As far as it may: then the response is not complete, and says why."""
    engine = AsyncLLM(make_core())
    stack.callback(engine.close)
    url = await stack.enter_async_context(serving_ladders({}, engine))
    fields: Any = {"model": "local", "input": "Hi", "max_output_tokens": 3, "stream": streams}
    answer: Any = await official(url, stack).responses.create(**fields)
    response = [event async for event in answer][-1].response if streams else answer
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output[0].status == "incomplete"
    assert response.usage.output_tokens == 3


async def test_events_come_in_the_order_of_the_api(gateway: ScriptedRungs) -> None:
    """Each names itself twice, and has its number."""
    reply = Reply("A b ", (ToolCall("f", '{"a": 1}'),))
    asked = await gateway.connect(official, gateway.rung("openai", reply=reply))
    sent = {"model": "chat", "input": "Hi", "stream": True, "tools": [TOOL]}
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(headers=headers) as plain:
        response = await plain.post(f"{asked.base_url}responses", json=sent)
    lines = response.text.splitlines()
    kinds = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["type"] for event in events] == kinds
    assert [event["sequence_number"] for event in events] == [*range(len(kinds))]
    assert [event["output_index"] for event in events[2:-1]] == [0] * 7 + [1] * 4
    assert events[-1]["response"]["output"] == [events[8]["item"], events[12]["item"]]
