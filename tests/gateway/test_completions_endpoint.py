"""Texts are continued by whoever answers for a name, as conversations are answered."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from stormproof.errors import from_wire
from support.scripted_house import House, answer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(tmp_path, stack)


def whole(text: str) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    return answer(json.dumps({"id": "theirs", "choices": [choice], "usage": usage}).encode())


def stream(*texts: str, end: bool = True) -> bytes:
    parts = [{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in texts]
    last = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
    documents = [*parts, last] if end else parts
    events = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in documents)
    return answer(events + b"data: [DONE]\n\n" * end, kind="text/event-stream")


DOWN = answer(b"{}", status="500 X")


async def post(url: str, **fields: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=None) as client:
        body = {"model": "text", "prompt": "Once", **fields}
        return await client.post(f"{url}/completions", json=body)


async def test_another_answers_when_the_first_cannot(house: House) -> None:
    """Under our name, and the answer says who it was."""
    response = await post(await house.gateway([DOWN], [whole(" upon a time")]))
    document = response.json()
    assert document["choices"] == [
        {"index": 0, "text": " upon a time", "logprobs": None, "finish_reason": "stop"}
    ]
    assert (document["object"], document["model"]) == ("text_completion", "text")
    assert document["id"].startswith("cmpl-")
    assert document["usage"]["total_tokens"] == 7
    assert document["stormproof"]["rung"] == "p1/t"
    assert response.headers["x-stormproof-rung"] == "p1/t"
    assert response.headers["x-stormproof-attempts"] == "2"


async def test_the_official_client_hears_one_stream(house: House) -> None:
    """Whoever ends it; the second is asked for the rest of a longer text."""
    url = await house.gateway([stream(" upon", " a", end=False)], [stream(" time")])
    official = openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    chunks = await official.completions.create(
        model="text", prompt="Once", stream=True, max_tokens=9
    )
    heard = [chunk async for chunk in chunks]
    await official.close()
    assert "".join(chunk.choices[0].text for chunk in heard) == " upon a time"
    assert [one.choices[0].finish_reason for one in heard][-1] == "stop"
    assert len({one.id for one in heard}) == 1
    [rest] = house.providers[1].requests
    asked = json.loads(rest.partition(b"\r\n\r\n")[2])
    assert (asked["prompt"], asked["max_tokens"]) == ("Once upon a", 7)


async def test_a_stream_that_is_to_fail_says_so(house: House) -> None:
    url = await house.gateway([stream(" upon", end=False)], [stream(" time")])
    async with httpx2.AsyncClient(timeout=None) as client:
        body = {"model": "text", "prompt": "Once", "stream": True}
        headers = {"x-stormproof-stream": "fail"}
        response = await client.post(f"{url}/completions", json=body, headers=headers)
    kind, data = response.text.split("\n\n")[-2].split("\n")
    assert kind == "event: error"
    assert from_wire(json.loads(data.removeprefix("data: "))).code == "CONNECTION_LOST"


async def test_a_model_that_only_chats_says_where_to_ask(house: House) -> None:
    response = await post(await house.gateway([whole("no")], completions=False))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "INVALID_REQUEST")
    assert "/v1/chat/completions" in error["message"]
    assert house.providers[0].connections == 0


async def test_what_is_no_request_is_refused_by_name(house: House) -> None:
    response = await post(await house.gateway([whole("no")]), prompt=None)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")


async def test_no_token_is_lost_that_is_no_whole_character(house: House) -> None:
    """It has no text yet, but was likely."""
    half = {"index": 0, "text": "", "logprobs": {"tokens": ["?"]}, "finish_reason": None}
    end = {"index": 0, "text": "é", "logprobs": {"tokens": ["!"]}, "finish_reason": "stop"}
    events = [b"data: %b\n\n" % json.dumps({"choices": [one]}).encode() for one in (half, end)]
    sent = answer(b"".join([*events, b"data: [DONE]\n\n"]), kind="text/event-stream")
    response = await post(await house.gateway([sent]), stream=True, logprobs=1)
    told = [json.loads(one.removeprefix("data: ")) for one in response.text.split("\n\n")[:-2]]
    tokens = [one["choices"][0]["logprobs"]["tokens"] for one in told]
    assert tokens == [["?"], ["!"]]
