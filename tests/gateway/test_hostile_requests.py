"""Ten thousand hostile requests: limits, types, sizes, ids, grammars, stop strings, bytes.

The application and the engine are the real ones; the model is scripted, for speed, and a smaller
number goes to a server with a model.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from stormproof.engine import AsyncLLM
from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.providers.local.schema import ChatRequest
from stormproof.signals import Metrics
from support.hostile_requests import CHAT, MESSAGES, RESPONSES, HostileRequest, hostile_requests
from support.scripted_engine import babble, make_core
from support.serving import MODEL, Server, chat_body

AT_ONCE: Final = 50
SAID: Final = '{"role": "user", "content": "Hi"}'
USED: Final = '{"type": "tool_use", "id": "a", "name": "f", "input": DEEP}'
LIMITS: Final = {"default_max_tokens": 4, "max_tokens": 16, "max_body_bytes": 200_000}


@asynccontextmanager
async def server_in_process(engine: AsyncLLM) -> AsyncIterator[httpx2.AsyncClient]:
    lifecycle = Lifecycle(engine, drain_timeout=0)
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        engine,
        load_settings(LIMITS),
        model_name=MODEL,
        keyring=Keyring(()),
        lifecycle=lifecycle,
        metrics=metrics,
    )
    try:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://here"
        ) as client:
            yield client
    finally:
        metrics.close()
        lifecycle.close()


async def send(client: httpx2.AsyncClient, request: HostileRequest) -> str:
    headers = {
        b"content-type": request.content_type.encode("latin-1"),
        b"x-request-id": request.request_id.encode("latin-1"),
    }
    response = await client.request(
        request.method, request.path, content=request.body, headers=headers
    )
    return judge(response)


def judge(response: httpx2.Response) -> str:
    """Return how a request ended: a typed error's code, or that it was answered."""
    if response.headers["content-type"].startswith("text/event-stream"):
        return judge_stream(response.text)
    assert response.status_code not in {500, 502}, response.text
    if response.status_code < 400:
        return "answered"
    if not response.content:
        assert response.request.method == "HEAD"
        return "no body"
    return typed(response.json())


def judge_stream(text: str) -> str:
    *_, last = text.rstrip().split("\n\n")
    if last == "data: [DONE]":
        return "answered"
    event = json.loads(last.rpartition("data: ")[2])
    if event.get("type") in {"message_stop", "response.completed", "response.incomplete"}:
        return "answered"
    return typed(event.get("response", event))


def typed(document: dict[str, dict[str, str]]) -> str:
    error = document["error"]
    assert error["message"]
    assert error["type"]
    assert error["code"] != "INTERNAL_ERROR", error
    return error["code"]


async def test_ten_thousand_hostile_requests_get_typed_errors_only() -> None:
    """Or answers, where they were only odd; and the engine is as it was before."""
    engine = AsyncLLM(make_core(babble, num_blocks=64, block_size=16))
    ends: Counter[str] = Counter()
    requests = hostile_requests(10_000, seed=20)
    try:
        async with server_in_process(engine) as client:
            while some := list(islice(requests, AT_ONCE)):
                ends.update(await asyncio.gather(*(send(client, request) for request in some)))
            answer = await client.post(CHAT, json=chat_body())
    finally:
        engine.close()
    assert answer.status_code == 200
    assert ends["answered"] > 500
    assert ends["INVALID_REQUEST"] > 5000
    assert engine.stats().free_blocks == engine.stats().total_blocks


@pytest.mark.parametrize(
    "place",
    [
        '"tools": [{"type": "function", "function": {"name": "f", "parameters": %s}}]',
        '"response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": %s}}',
        '"structured_outputs": {"json": %s}',
    ],
)
async def test_documents_inside_a_request_may_not_be_deep(place: str) -> None:
    """However much of the stack is left when somebody walks them."""
    engine = AsyncLLM(make_core(babble))
    try:
        async with server_in_process(engine) as client:
            for depth in (140, *range(700, 1000, 3)):
                deep = '{"not": ' * depth + "{}" + "}" * depth
                body = f"{json.dumps(chat_body())[:-1]}, {place % deep}}}"
                response = await client.post(
                    CHAT, content=body, headers={"content-type": "application/json"}
                )
                assert judge(response) == "INVALID_REQUEST"
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MESSAGES, '{"messages": [SAID], "tools": [{"name": "f", "input_schema": DEEP}]}'),
        (MESSAGES, '{"messages": [{"role": "assistant", "content": [USED]}, SAID]}'),
        (MESSAGES, '{"messages": [SAID], "thinking": DEEP}'),
        (
            RESPONSES,
            '{"input": "Hi", "tools": [{"type": "function", "name": "f", "parameters": DEEP}]}',
        ),
        (RESPONSES, '{"input": "Hi", "metadata": DEEP}'),
    ],
)
async def test_nor_may_they_in_other_dialects(path: str, body: str) -> None:
    """Where they mean something; elsewhere they are left aside."""
    engine = AsyncLLM(make_core(babble))
    try:
        async with server_in_process(engine) as client:
            for depth in (140, *range(700, 1000, 3)):
                deep = '{"not": ' * depth + "{}" + "}" * depth
                sent = body.replace("{", f'{{"model": "{MODEL}", "max_tokens": 3, ', 1)
                for name, told in {"SAID": SAID, "USED": USED, "DEEP": deep}.items():
                    sent = sent.replace(name, told)
                response = await client.post(path, content=sent)
                assert judge(response) in {"INVALID_REQUEST", "CONTEXT_TOO_LONG", "answered"}
    finally:
        engine.close()


def test_tools_count_as_part_of_the_prompt() -> None:
    """They are written into it, so the limit of its length holds for them."""
    function = {"name": "f", "parameters": {"title": "x" * 1000}}
    tools = [{"type": "function", "function": function}]
    assert ChatRequest.model_validate(chat_body("Hi.")).length == 3
    assert ChatRequest.model_validate(chat_body("Hi.") | {"tools": tools}).length > 1000


def test_a_real_server_survives_them_too(server: Server) -> None:
    """Over sockets, with a model behind them."""
    with server.client() as client:
        for request in hostile_requests(80, seed=21):
            if request.path.startswith("/v1/c") and request.method == "POST":
                headers = {"content-type": request.content_type}
                judge(client.post(request.path, content=request.body, headers=headers))
        assert client.post(CHAT, json=chat_body()).status_code == 200
    assert server.process.poll() is None
