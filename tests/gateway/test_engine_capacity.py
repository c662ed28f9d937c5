"""An engine that has no room is one more that cannot answer: the next one does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stormproof.engine import AsyncLLM, EngineConfig
from stormproof.gateway import load_settings
from stormproof.gateway.token_times import TokenTimes
from stormproof.providers import Continuation, EngineModel, FixedAnswer, Ladder, Rung
from stormproof.recovery import CircuitState
from support.ladder_server import KEY, serving_ladders

BLOCK, BLOCKS = 16, 8
AT_ONCE = 12


@pytest.fixture
def ladder(model_path: Path) -> Iterator[Ladder]:
    """The real model, with a cache for one short answer at a time, and one place in its queue."""
    config = EngineConfig(
        model=str(model_path),
        block_size=BLOCK,
        num_blocks=BLOCKS,
        max_sequences=1,
        max_waiting=1,
        max_step_tokens=64,
    )
    with AsyncLLM.load(config) as engine:
        model = EngineModel(engine, load_settings({}), TokenTimes().watch)
        rungs = [
            Rung(model, continues=Continuation.EXACT),
            Rung(FixedAnswer("Busy."), degraded=True, continues=Continuation.NEVER),
        ]
        yield Ladder("chat", rungs)


@pytest.fixture
async def client(ladder: Ladder) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        serving_ladders({"chat": ladder}) as url,
        httpx2.AsyncClient(base_url=url, timeout=None, headers=headers) as client,
    ):
        yield client


async def ask(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Tell me a story."}]}
    return await client.post("/v1/chat/completions", json={**body, **fields})


@pytest.mark.parametrize("stream", [False, True])
async def test_who_finds_the_queue_full_is_answered_elsewhere(
    client: httpx2.AsyncClient, *, stream: bool
) -> None:
    """At once, and is told so; those who found room have the engine's answer."""
    fields = {"max_tokens": 64, "ignore_eos": True, "stream": stream}
    answers = await asyncio.gather(*(ask(client, **fields) for _ in range(AT_ONCE)))
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    by_rung: dict[str, list[httpx2.Response]] = {"engine": [], "default": []}
    for answer in answers:
        by_rung[answer.headers["x-stormproof-rung"]].append(answer)
    assert by_rung["engine"]
    assert by_rung["default"]
    for answer in by_rung["default"]:
        assert answer.headers["x-stormproof-degraded"] == "true"
        assert "Busy." in answer.text
    for answer in by_rung["engine"]:
        assert answer.headers["x-stormproof-degraded"] == "false"
        assert "Busy." not in answer.text


async def test_what_the_cache_can_never_hold_is_answered_elsewhere(
    client: httpx2.AsyncClient,
) -> None:
    answer = await ask(client, max_tokens=BLOCK * BLOCKS)
    assert answer.headers["x-stormproof-rung"] == "default"
    assert answer.headers["x-stormproof-attempts"] == "2"


async def test_that_it_is_busy_says_nothing_of_its_health(
    client: httpx2.AsyncClient, ladder: Ladder
) -> None:
    """It asks for a rest, and not to be left alone."""
    fields = {"max_tokens": 64, "ignore_eos": True}
    await asyncio.gather(*(ask(client, **fields) for _ in range(AT_ONCE)))
    engine, _ = ladder.health()
    assert engine.state is CircuitState.CLOSED
