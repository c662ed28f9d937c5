"""The engine's process dies while clients stream over HTTP: those who are not to blame go on."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from support.mortal_engine import FussyCore
from support.processes import workers
from support.serving import MODEL, Server

CLIENTS = 16
SEGFAULT, BANE = chr(1), chr(FussyCore.BANE)


def story(number: int) -> dict[str, Any]:
    """A request of its own; every other one is greedy, and some stop early."""
    return {
        "prompt": "Once upon a time " * (number % 4) + chr(ord("a") + number),
        "temperature": number % 2,
        "seed": number,
        "max_tokens": 150,
        "stop": ["zq"],
        "stream_options": {"include_usage": True},
    }


def poison(letter: str) -> dict[str, Any]:
    return {"prompt": letter + " and nothing but the storm", "max_tokens": 50}


async def stream(client: httpx2.AsyncClient, body: dict[str, Any]) -> AsyncIterator[Any]:
    """Yield what the events hold: text, ends and counts; without what names the request."""
    asked = {"model": MODEL, "stream": True, **body}
    async with client.stream("POST", "/v1/completions", json=asked) as response:
        async for line in response.raise_for_status().aiter_lines():
            if line.startswith("data: {"):
                chunk = json.loads(line.removeprefix("data: "))
                yield chunk["choices"], chunk.get("usage")
            elif line:
                yield line


async def heard(client: httpx2.AsyncClient, body: dict[str, Any], began: asyncio.Event) -> Any:
    """Return all of a stream: its text, and everything else in order."""
    text, rest = "", []
    async for event in stream(client, body):
        began.set()
        match event:
            case [{"text": piece, "finish_reason": None}], _:
                text += piece
            case [{"text": piece, **end}], usage:
                text += piece
                rest.append((end, usage))
            case _:
                rest.append(event)
    return text, rest


async def refusal(client: httpx2.AsyncClient, body: dict[str, Any]) -> tuple[int, str]:
    response = await client.post("/v1/completions", json={"model": MODEL, **body})
    return response.status_code, response.json()["error"]["code"]


async def test_poison_and_a_kill_amid_streams_change_none_of_them(
    serve: Callable[..., Server],
) -> None:
    """No text is lost, changed or repeated; those who poison are told so, and nobody else."""
    paths = os.pathsep.join(filter(None, sys.path))
    server = serve(program="support.mortal_serve", PYTHONPATH=paths)
    async with httpx2.AsyncClient(base_url=server.url, timeout=None) as client:
        began = asyncio.Event()
        bodies = [story(number) for number in range(CLIENTS)]
        undisturbed = await asyncio.gather(*(heard(client, body, began) for body in bodies))
        began.clear()
        streams = [asyncio.create_task(heard(client, body, began)) for body in bodies]
        await began.wait()
        poisoned = [asyncio.create_task(refusal(client, poison(one))) for one in (SEGFAULT, BANE)]
        os.kill(workers(server.process.pid)[0], signal.SIGKILL)
        assert await asyncio.gather(*streams) == undisturbed
        assert await asyncio.gather(*poisoned) == [(500, "POISONED_REQUEST")] * 2
        health = await client.get("/ready")
    assert health.is_success
    assert all(rest[-1] == "data: [DONE]" for _, rest in undisturbed)
    assert 'deaths_total{cause="signal"}' in httpx2.get(f"{server.url}/metrics").text
