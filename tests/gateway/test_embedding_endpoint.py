"""Whoever hosts an embedding model: the client gets its vectors, and is told how."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from stormproof.engine import AsyncEmbedder, Embedder
from stormproof.errors import from_wire
from stormproof.providers import LocalEmbeddings
from stormproof.testing.provider import (
    Answer,
    Hang,
    Page,
    Refusal,
    Reset,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    vector_of,
)
from support.bert_folder import write_bert
from support.ladder_server import serving_file


class House:
    """A gateway, and those who host its models."""

    def __init__(self, folder: Path, provider: ScriptedProvider, stack: AsyncExitStack) -> None:
        self._provider = provider
        self._numbers = count()
        self._folder = folder
        self._stack = stack

    async def gateway(
        self, *targets: ScriptedTarget, more: str = "", **options: Any
    ) -> httpx2.AsyncClient:
        """Serve the model ``text`` as these host it, one after the other."""
        providers = [
            f'[providers.p{n}]\npreset = "openai-compatible"\nurl = "{target.url}"\n'
            for n, target in enumerate(targets)
        ]
        rungs = [f'{{ provider = "p{n}", model = "e-1" }}' for n in range(len(targets))]
        listed = ", ".join(filter(None, [*rungs, more]))
        file = self._folder / "stormproof.toml"
        file.write_text("".join(providers) + f"[embeddings.text]\nrungs = [{listed}]")
        url = await self._stack.enter_async_context(serving_file(file, **options))
        return await self._stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=None))

    def target(self, *steps: Step) -> ScriptedTarget:
        """Return somebody who hosts it."""
        return self._provider.target(f"t{next(self._numbers)}", *steps)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(ScriptedProvider())
        yield House(tmp_path, provider, stack)


async def until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 - what is waited for is on another socket
        await asyncio.sleep(0.01)


async def embed(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    return await client.post("/embeddings", json={"model": "text", "input": "rain", **fields})


@pytest.mark.parametrize(
    "failure",
    [
        Refusal(500),
        Refusal(429, retry_after=9),
        Reset(),
        Page(b"<html>", "text/html"),
        Page(b'{"data": []}'),
    ],
)
async def test_another_host_embeds_when_the_first_cannot(house: House, failure: Step) -> None:
    """At once, and the answer says who it was."""
    first, second = house.target(failure), house.target(Answer())
    response = await embed(await house.gateway(first, second))
    document = response.json()
    assert document["data"][0]["embedding"] == list(vector_of("rain"))
    assert (document["model"], document["object"]) == ("text", "list")
    assert document["stormproof"] == {"rung": "p1/e-1", "attempts": 2, "degraded": False}
    assert response.headers["x-stormproof-rung"] == "p1/e-1"
    assert response.headers["x-stormproof-attempts"] == "2"
    assert response.headers["x-stormproof-degraded"] == "false"
    assert (first.calls, second.calls) == (1, 1)


async def test_the_official_client_understands(house: House) -> None:
    """It asks for bytes unless it is told otherwise."""
    client = await house.gateway(house.target())
    official = openai.AsyncOpenAI(base_url=str(client.base_url), api_key="k", max_retries=0)
    texts = ["rain", "sea"]
    create: Any = official.embeddings.create
    for form in ({}, {"encoding_format": "float"}):
        answer = await create(model="text", input=texts, **form)
        assert [one.embedding for one in answer.data] == [
            pytest.approx(vector_of(text)) for text in texts
        ]
        assert [one.index for one in answer.data] == [0, 1]
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 2
    await official.close()


async def test_many_texts_come_back_in_order(house: House) -> None:
    texts = [f"rain {number}" for number in range(600)]
    data = (await embed(await house.gateway(house.target()), input=texts)).json()["data"]
    assert [entry["embedding"] for entry in data] == [[*vector_of(text)] for text in texts]


async def test_when_nobody_embeds_the_client_is_told(house: House) -> None:
    client = await house.gateway(house.target(Refusal(500)), house.target(Reset()))
    response = await embed(client)
    assert response.status_code == 502
    assert from_wire(response.json()).code == "LLM_API_ERROR"


async def test_what_the_client_did_wrong_is_told_by_name(house: House) -> None:
    host = house.target()
    client = await house.gateway(host)
    for fields, code, param in (
        ({"input": []}, "INVALID_REQUEST", "input"),
        ({"model": "chat"}, "MODEL_NOT_FOUND", None),
    ):
        error = (await embed(client, **fields)).json()["error"]
        assert (error["code"], error["param"]) == (code, param)
    assert host.calls == 0


async def test_the_deadline_of_the_client_holds(house: House) -> None:
    client = await house.gateway(house.target(Hang()))
    body = {"model": "text", "input": "rain"}
    response = await client.post("/embeddings", json=body, headers={"x-deadline-ms": "50"})
    assert response.status_code == 504


async def test_who_leaves_is_not_worked_for(house: House) -> None:
    hanging, spare = house.target(Hang()), house.target()
    client = await house.gateway(hanging, spare)
    task = asyncio.create_task(embed(client))
    await until(lambda: hanging.calls == 1)
    task.cancel()
    await until(lambda: hanging.abandoned == 1)
    assert spare.calls == 0


async def test_it_is_listed(house: House) -> None:
    client = await house.gateway(house.target())
    assert [card["id"] for card in (await client.get("/models")).json()["data"]] == ["text"]


async def test_a_model_of_this_machine_embeds_when_no_host_does(
    house: House, tmp_path: Path
) -> None:
    """With the same numbers as by itself, in either form; it knows how many there are."""
    folder = tmp_path / "minilm"
    write_bert(folder)
    embedder = Embedder.load(folder)
    [expected] = embedder.embed(["rain"])
    shared = AsyncEmbedder(embedder)
    local = {"minilm": LocalEmbeddings(shared, max_chars=20)}
    more = '{ embedder = "minilm", space = "e-1" }'
    client = await house.gateway(house.target(Refusal(500)), more=more, embedders=local)
    try:
        document = (await embed(client)).json()
        assert document["data"][0]["embedding"] == pytest.approx(expected.vector.tolist())
        assert document["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
        assert document["stormproof"]["rung"] == "minilm"
        for fields, param in (({"dimensions": 3}, "dimensions"), ({"input": "a" * 21}, "input")):
            assert (await embed(client, **fields)).json()["error"]["param"] == param
    finally:
        shared.close()


async def test_requests_that_are_no_json_are_refused(house: House) -> None:
    client = await house.gateway(house.target())
    for body in (b"{", b"[]", json.dumps({"model": "text"}).encode()):
        response = await client.post("/embeddings", content=body)
        assert response.json()["error"]["code"] == "INVALID_REQUEST"
