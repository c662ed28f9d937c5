"""A stream that has begun says how it ends, whatever ends it, and what of it counts."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from stormproof.providers import Endpoint, HttpClient, Ladder, OpenAIModel, Rung
from stormproof.testing.provider import (
    Answer,
    Break,
    Broken,
    Hang,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    text_of,
)
from support.ladder_server import KEY, serving_ladders
from support.serving import running

CHAT: Final = "/v1/chat/completions"
LONG: Final = Answer(10_000, pace=0.05)
HELLO: Final = [{"role": "user", "content": "Hi"}]
POLICY: Final = "x-stormproof-stream"


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    client.close()


def ladder(provider: ScriptedProvider, client: HttpClient, *steps: Step) -> Ladder:
    """Return a ladder of targets, each of which does one thing."""
    rungs = []
    for place, step in enumerate(steps):
        url = f"{provider.target(f'{place}', step).url}/chat/completions"
        rungs.append(Rung(OpenAIModel(Endpoint(provider=f"p{place}", url=url), "m", client=client)))
    return Ladder("m", rungs)


def events(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the kinds of events, and what they hold."""
    for event in filter(None, text.split("\n\n")):
        kind, _, data = event.rpartition("data: ")
        yield kind.strip(), data if data == "[DONE]" else json.loads(data)


async def post(
    url: str, path: str = CHAT, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    body = {"model": "m", "messages": HELLO, "stream": True, "max_tokens": 999, **fields}
    headers = {**(headers or {}), "authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=url, timeout=None) as asking:
        return await asking.post(path, json=body, headers=headers)


async def test_a_stream_that_begins_again_says_so(
    provider: ScriptedProvider, client: HttpClient
) -> None:
    """By the event from which on it counts."""
    both = ladder(provider, client, Broken(Break.CUT, 5), Answer())
    async with serving_ladders({"m": both}) as url:
        response = await post(url, headers={POLICY: "restart"})
    texts, told = [""], []
    for _, data in events(response.text):
        if data == "[DONE]":
            continue
        told += [data["stormproof"]] if "stormproof" in data else []
        if data.get("stormproof", {}).get("restarted"):
            texts.append("")
        texts[-1] += data["choices"][0]["delta"].get("content") or ""
    assert texts == [text_of(5), text_of(32)]
    assert [(one["rung"], one["attempts"]) for one in told] == [("p0/m", 1), ("p1/m", 2)]


async def test_where_nobody_could_be_told_it_is_refused(
    provider: ScriptedProvider, client: HttpClient
) -> None:
    """Anthropic's clients know no message that begins again."""
    both = ladder(provider, client, Broken(Break.CUT, 5), Answer())
    async with serving_ladders({"m": both}) as url:
        refused = await post(url, "/v1/messages", headers={POLICY: "restart"})
        resumed = await post(url, "/v1/messages", headers={POLICY: "resume"})
    assert refused.status_code == 400
    assert "resume, fail" in refused.text
    assert resumed.status_code == 200


async def test_the_deadline_of_the_client_ends_it_with_an_error(
    provider: ScriptedProvider, client: HttpClient
) -> None:
    async with serving_ladders({"m": ladder(provider, client, LONG)}) as url:
        response = await post(url, headers={"x-deadline-ms": "3000"})
    *_, (kind, data) = events(response.text)
    assert (kind, data["error"]["code"]) == ("event: error", "TIMEOUT_ERROR")


def models_file(folder: Path, **targets: ScriptedTarget) -> str:
    """Write a file with a model for each target."""
    tables = [
        f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{target.url}"\n'
        f'[models.{name}]\nrungs = [{{ provider = "{name}", model = "m" }}]'
        for name, target in targets.items()
    ]
    file = folder / "stormproof.toml"
    file.write_text("\n".join(tables))
    return str(file)


async def test_a_server_that_leaves_ends_it_with_an_error(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    """When the time for that is over; what has not begun has a status."""
    streaming, slow = provider.target("streaming", LONG), provider.target("slow", Hang())
    file = models_file(tmp_path, streaming=streaming, slow=slow)
    with running("--config", file, "--drain-timeout", "2") as server:
        asked = [
            asyncio.create_task(post(server.url, model=name, stream=name == "streaming"))
            for name in ("streaming", "slow")
        ]
        while not (streaming.calls and slow.calls):  # noqa: ASYNC110 - it happens behind a socket
            await asyncio.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        begun, not_begun = await asyncio.gather(*asked)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
    *_, (kind, data) = events(begun.text)
    assert (kind, data["error"]["code"]) == ("event: error", "SERVICE_UNAVAILABLE")
    assert not_begun.status_code == 503
    assert not_begun.headers["retry-after"] == "1"
