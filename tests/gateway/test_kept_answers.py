"""What was answered before, a gateway answers again: exactly that, in every dialect."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stormproof.testing.provider import Answer, Refusal, Reply, ScriptedProvider, ScriptedTarget
from support.ladder_server import serving_file

HI = [{"role": "user", "content": "Hi"}]
DOWN = Refusal(500)


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as running:
        yield running


def file(directory: Path, target: ScriptedTarget, *tables: str) -> Path:
    path = directory / "stormproof.toml"
    text = [
        "[providers.house]",
        'preset = "openai-compatible"',
        f'url = "{target.url}"',
        "[models.chat]",
        'rungs = [{ provider = "house", model = "m" }, { cached = true }]',
        *tables,
    ]
    path.write_text("\n".join(text))
    return path


async def ask(
    client: httpx2.AsyncClient, headers: dict[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    document = {"model": "chat", "messages": HI, **fields}
    return await client.post("/chat/completions", json=document, headers=headers)


async def test_the_same_request_is_answered_from_the_cache(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    """Whole or streamed, and labelled; a client may have it asked again."""
    target = provider.target("house", says=lambda _: Reply("Hello"))
    path = file(tmp_path, target, "[reflex.cache]")
    async with serving_file(path) as url, httpx2.AsyncClient(base_url=url) as client:
        first, second = await ask(client), await ask(client)
        streamed = await ask(client, stream=True)
        fresh = await ask(client, {"cache-control": "no-cache"})
    assert first.json()["choices"] == second.json()["choices"]
    assert '"Hello"' in streamed.text
    rungs = [one.headers["x-stormproof-rung"] for one in (first, second, streamed, fresh)]
    assert rungs == ["house/m", "cache", "cache", "house/m"]
    assert second.headers["x-stormproof-degraded"] == "false"
    assert target.calls == 2


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/messages", {"messages": HI, "max_tokens": 100}),
        ("/responses", {"input": "Hi"}),
    ],
)
async def test_every_dialect_has_its_own_words_for_it(
    provider: ScriptedProvider, tmp_path: Path, path: str, document: dict[str, Any]
) -> None:
    target = provider.target("house", says=lambda _: Reply("Hello"))
    settings = file(tmp_path, target, "[reflex.cache]")
    async with serving_file(settings) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = [
            await client.post(path, json={"model": "chat", **document, "stream": stream})
            for stream in (False, False, True)
        ]
    assert ["Hello" in one.text for one in answers] == [True] * 3
    assert [one.headers["x-stormproof-rung"] for one in answers] == ["house/m", "cache", "cache"]
    assert target.calls == 1


async def test_of_requests_that_come_at_once_one_is_asked(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    target = provider.target("house", says=lambda _: Reply("Hello"))
    path = file(tmp_path, target, "[reflex.cache]")
    async with serving_file(path) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = await asyncio.gather(*(ask(client, stream=n % 2 == 0) for n in range(30)))
    assert all("Hello" in one.text for one in answers)
    assert target.calls == 1


async def test_an_old_answer_stands_in_for_a_model_that_fails(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    """Labelled as that; and it is not taken for a new one."""
    target = provider.target("house", Answer(), DOWN, says=lambda _: Reply("Hello"))
    path = file(tmp_path, target, "[reflex.validate]")
    async with serving_file(path) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = [await ask(client), await ask(client), await ask(client, stream=True)]
        other = await ask(client, temperature=1)
    told = [
        (one.headers["x-stormproof-rung"], one.headers["x-stormproof-degraded"]) for one in answers
    ]
    assert told == [("house/m", "false"), ("cached", "true"), ("cached", "true")]
    assert other.status_code >= 500
