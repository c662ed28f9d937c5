"""Anthropic's own client talks to whoever answers, and takes it for Anthropic's API."""

from contextlib import AsyncExitStack
from typing import Any

import anthropic
import httpx2
import pytest

from stormproof.engine import AsyncLLM
from stormproof.providers import AnthropicModel, Endpoint, HttpClient, Ladder, Rung
from stormproof.testing.provider import (
    Answer,
    Break,
    Broken,
    Refusal,
    Reply,
    Step,
    ToolCall,
    text_of,
)
from support import anthropic_wire as wire
from support.ladder_server import KEY, serving_ladders
from support.raw_server import RawServer
from support.scripted_engine import make_core
from support.scripted_rungs import ScriptedRungs

ASKED: Any = {"max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
TOOL: Any = {"name": "f", "description": "F.", "input_schema": {"type": "object"}}
TEXT = text_of(32)


def official(url: str, stack: AsyncExitStack, **options: Any) -> anthropic.AsyncAnthropic:
    made = anthropic.AsyncAnthropic(base_url=url, **{"api_key": KEY, "max_retries": 0, **options})
    stack.push_async_callback(made.close)
    return made


async def ask(
    client: anthropic.AsyncAnthropic, *, streams: bool, model: str = "chat", **fields: Any
) -> Any:
    """Return the message, put together by the client if it comes in a stream."""
    fields = {"model": model, **ASKED, **fields}
    if not streams:
        return await client.messages.create(**fields)
    async with client.messages.stream(**fields) as stream:
        return await stream.get_final_message()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_text_is_answered_with_a_text(
    gateway: ScriptedRungs, kind: str, streams: bool
) -> None:
    """With who answered, why it ended, and the tokens."""
    client = await gateway.connect(official, gateway.rung(kind))
    message = await ask(client, streams=streams)
    assert [block.text for block in message.content] == [TEXT]
    assert (message.model, message.role, message.type) == ("chat", "assistant", "message")
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.output_tokens == 32
    assert message.usage.input_tokens > 0
    assert message.stormproof == {"rung": "rung-0", "attempts": 1, "degraded": False}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_calls_of_tools_come_as_blocks(
    gateway: ScriptedRungs, kind: str, streams: bool
) -> None:
    """Several, behind a text; a call without arguments has an empty input."""
    calls = ToolCall("f", '{"a": [1, "é"]}'), ToolCall("g")
    client = await gateway.connect(official, gateway.rung(kind, reply=Reply("Wait. ", calls)))
    message = await ask(client, streams=streams, tools=[TOOL, {**TOOL, "name": "g"}])
    text, first, second = message.content
    assert text.text == "Wait. "
    assert (first.type, first.id, first.name, first.input) == (
        "tool_use",
        calls[0].id,
        "f",
        {"a": [1, "é"]},
    )
    assert (second.name, second.input) == ("g", {})
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_stream_that_breaks_is_gone_on_with(gateway: ScriptedRungs, kind: str) -> None:
    """In one message, with every word once."""
    broken = gateway.rung(kind, Broken(Break.CUT, 5))
    client = await gateway.connect(official, broken, gateway.rung("openai"))
    message = await ask(client, streams=True)
    assert [block.text for block in message.content] == [TEXT]
    assert message.stop_reason == "end_turn"
    assert [target.calls for target in gateway.targets] == [1, 1]


async def test_a_stream_that_nobody_goes_on_with_tells_of_the_error(gateway: ScriptedRungs) -> None:
    """After what there was of it; the client raises, and does not take it for the end."""
    client = await gateway.connect(official, gateway.rung("openai", Broken(Break.ERROR, 5)))
    heard: list[str] = []

    async def listen() -> None:
        headers = {"x-stormproof-stream": "fail"}
        fields = {"model": "chat", **ASKED, "extra_headers": headers}
        async with client.messages.stream(**fields) as stream:
            async for text in stream.text_stream:
                heard.append(text)  # noqa: PERF401 - also before an error

    with pytest.raises(anthropic.APIStatusError) as caught:
        await listen()
    assert "".join(heard) == text_of(5)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "api_error")
    assert body["error"]["code"] == "LLM_API_ERROR"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("step", "status", "kind", "code"),
    [
        (Refusal(500), 502, "api_error", "LLM_API_ERROR"),
        (Refusal(529), 503, "overloaded_error", "PROVIDER_OVERLOADED"),
        (Refusal(429, 7), 429, "rate_limit_error", "RATE_LIMIT_EXCEEDED"),
    ],
)
async def test_a_failure_is_one_that_the_client_knows(
    gateway: ScriptedRungs,
    *,
    step: Step,
    status: int,
    kind: str,
    code: str,
    streams: bool,
) -> None:
    """By its type; our own code stands beside."""
    client = await gateway.connect(official, gateway.rung("openai", step))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask(client, streams=streams)
    body: Any = caught.value.body
    told = body["error"]
    assert (caught.value.status_code, body["type"]) == (status, "error")
    assert (told["type"], told["code"]) == (kind, code)
    assert body["request_id"] == caught.value.response.headers["x-request-id"]


async def test_what_is_no_request_is_refused_by_field(gateway: ScriptedRungs) -> None:
    client = await gateway.connect(official, gateway.rung("openai"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(client, streams=False, messages=[{"role": "user", "content": [{"type": "x"}]}])
    body: Any = caught.value.body
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["param"] == "messages[0].content[0].type"
    assert gateway.targets[0].calls == 0


async def test_a_model_that_nobody_has_is_not_found(gateway: ScriptedRungs) -> None:
    client = await gateway.connect(official, gateway.rung("openai"))
    with pytest.raises(anthropic.NotFoundError) as caught:
        await ask(client, streams=False, model="nobody")
    body: Any = caught.value.body
    assert (body["error"]["type"], body["error"]["code"]) == ("not_found_error", "MODEL_NOT_FOUND")


@pytest.mark.parametrize("how", ["api_key", "auth_token"])
async def test_keys_are_asked_for_in_both_ways(
    gateway: ScriptedRungs, stack: AsyncExitStack, how: str
) -> None:
    """In the header that this client uses, and in the usual one."""
    url = await gateway.serve(gateway.rung("openai", Answer(1)))
    keys = {"api_key": None, "auth_token": None}
    good = official(url, stack, **{**keys, how: KEY})
    assert (await ask(good, streams=False)).content[0].text == "w0 "
    wrong = official(url, stack, **{**keys, how: "wrong"})
    with pytest.raises(anthropic.AuthenticationError) as caught:
        await ask(wrong, streams=False)
    body: Any = caught.value.body
    assert body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("streams", [False, True])
async def test_the_model_of_the_engine_answers(stack: AsyncExitStack, streams: bool) -> None:
    """Without a ladder of anybody's making."""
    engine = AsyncLLM(make_core())
    stack.callback(engine.close)
    url = await stack.enter_async_context(serving_ladders({}, engine))
    message = await ask(official(url, stack), streams=streams, model="local", max_tokens=3)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 3
    assert message.stormproof["rung"] == "engine"


async def test_events_come_in_the_order_of_the_api(gateway: ScriptedRungs) -> None:
    """And each names itself twice."""
    reply = Reply("A b ", (ToolCall("f", '{"a": 1}'),))
    client = await gateway.connect(official, gateway.rung("openai", reply=reply))
    sent = {"model": "chat", **ASKED, "stream": True, "tools": [TOOL]}
    async with httpx2.AsyncClient() as plain:
        response = await plain.post(
            f"{client.base_url}/v1/messages", json=sent, headers={"x-api-key": KEY}
        )
    kinds = [line[7:] for line in response.text.splitlines() if line.startswith("event: ")]
    assert kinds == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert response.headers["x-stormproof-rung"] == "rung-0"


async def test_it_is_part_of_what_the_server_tells_of_itself(gateway: ScriptedRungs) -> None:
    """Its place in the schema, and an answer in its own words to a method that it has not."""
    client = await gateway.connect(official, gateway.rung("openai"))
    async with httpx2.AsyncClient(base_url=client.base_url) as plain:
        schema = (await plain.get("/openapi.json")).json()
        refused = await plain.get("/v1/messages", headers={"x-api-key": KEY})
    operation = schema["paths"]["/v1/messages"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert "max_tokens" in schema["components"]["schemas"][body.rpartition("/")[2]]["required"]
    assert refused.status_code == 405
    assert refused.headers["allow"] == "POST"
    assert refused.json()["error"]["type"] == "invalid_request_error"


async def test_the_header_of_the_client_reaches_a_model_of_anthropic(
    stack: AsyncExitStack,
) -> None:
    """It uses what is not for everybody yet."""
    server, http = RawServer(), HttpClient()
    stack.callback(server.stop)
    stack.callback(http.close)
    url = await server.answering(wire.whole({"type": "text", "text": "Hi"}))
    rung = Rung(AnthropicModel(Endpoint(provider="a", url=url), "m", client=http))
    ladders = {"chat": Ladder("chat", [rung])}
    asked = official(await stack.enter_async_context(serving_ladders(ladders)), stack)
    await ask(asked, streams=False, extra_headers={"anthropic-beta": "context-1m"})
    assert b"\r\nanthropic-beta: context-1m\r\n" in server.requests[0]
