"""What is not ours to understand reaches providers, and comes back, as it was."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from support.scripted_house import House, answer

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}}
LIKELY = {"content": [{"token": "A", "logprob": -0.5, "bytes": [65], "top_logprobs": []}]}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(tmp_path, stack)


async def chat(house: House, sent: bytes, **fields: Any) -> Any:
    """Ask with the official client."""
    url = await house.gateway([sent])
    async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "Which?"}]
        asked: Any = {"messages": messages, **fields}
        response: Any = await client.chat.completions.create(model="text", **asked)
        return [chunk async for chunk in response] if fields.get("stream") else response


def heard(house: House) -> Any:
    [sent] = house.providers[0].requests
    return json.loads(sent.partition(b"\r\n\r\n")[2])


def choice(index: int, text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop", **more}


def whole(*choices: dict[str, Any]) -> bytes:
    return answer(json.dumps({"choices": choices}).encode())


async def test_pictures(house: House) -> None:
    content = [{"type": "text", "text": "What is this?"}, PICTURE]
    messages = [{"role": "user", "content": content}]
    response = await chat(house, whole(choice(0, "A cat.")), messages=messages)
    assert response.choices[0].message.content == "A cat."
    assert heard(house)["messages"] == messages


async def test_several_answers_and_how_likely_their_tokens_were(house: House) -> None:
    sent = whole(choice(1, "B"), choice(0, "A", logprobs=LIKELY))
    response = await chat(house, sent, n=2, logprobs=True, top_logprobs=0)
    assert [one.message.content for one in sorted(response.choices, key=lambda c: c.index)] == [
        "A",
        "B",
    ]
    [token] = next(one for one in response.choices if one.index == 0).logprobs.content
    assert (token.token, token.logprob, token.bytes) == ("A", -0.5, [65])
    asked = heard(house)
    assert (asked["n"], asked["logprobs"], asked["top_logprobs"]) == (2, True, 0)


async def test_the_same_piece_by_piece(house: House) -> None:
    parts = [
        {"index": 1, "delta": {"content": "B"}},
        {"index": 0, "delta": {"content": "A"}, "logprobs": LIKELY},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 1, "delta": {}, "finish_reason": "length"},
    ]
    events = [b"data: %b\n\n" % json.dumps({"choices": [part]}).encode() for part in parts]
    sent = answer(b"".join([*events, b"data: [DONE]\n\n"]), kind="text/event-stream")
    chunks = await chat(house, sent, n=2, logprobs=True, stream=True)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    texts = {0: "", 1: ""}
    for one in choices:
        texts[one.index] += one.delta.content or ""
    assert texts == {0: "A", 1: "B"}
    [likely] = [one.logprobs for one in choices if one.logprobs]
    assert likely.content[0].token == "A"
    assert {one.index: one.finish_reason for one in choices if one.finish_reason} == {
        0: "stop",
        1: "length",
    }


async def test_fields_that_nobody_here_knows(house: House) -> None:
    """Of the request, and of the answer."""
    more = {"reasoning_effort": "low", "metadata": {"team": "a"}, "store": True}
    sent = whole(choice(0, "A", annotations=[{"type": "url"}]))
    response = await chat(house, sent, extra_body=more)
    assert heard(house).items() >= more.items()
    assert response.choices[0].model_extra["annotations"] == [{"type": "url"}]
