"""Many clients at once, on a cache too small for them, some of whom leave early."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from stormproof.errors import known_errors
from support.serving import MODEL, Server

CLIENTS = 50
REQUESTS = 200
QUEUES = ("running", "waiting")
WORDS = [
    "storm",
    "proof",
    "river",
    "seven",
    "blue",
    "engine",
    "number",
    "cat",
    "paper",
    "window",
    "music",
    "green",
]


@dataclass(frozen=True)
class Question:
    """A greedy request."""

    prompt: str
    max_tokens: int

    def body(self, *, stream: bool) -> dict[str, Any]:
        return {
            "model": MODEL,
            "prompt": self.prompt,
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "stream": stream,
        }


def questions(rng: random.Random, count: int) -> list[Question]:
    return [
        Question(" ".join(rng.choices(WORDS, k=rng.randint(1, 120))), rng.randint(1, 16))
        for _ in range(count)
    ]


async def alone(client: httpx2.AsyncClient, question: Question) -> str:
    response = await client.post("/v1/completions", json=question.body(stream=False))
    return str(response.raise_for_status().json()["choices"][0]["text"])


async def leave_early(client: httpx2.AsyncClient, question: Question, after: float) -> None:
    """Ask, and hang up after some seconds or at the first words."""
    try:
        async with (
            asyncio.timeout(after),
            client.stream("POST", "/v1/completions", json=question.body(stream=True)) as response,
        ):
            async for _ in response.aiter_lines():
                return
    except TimeoutError:
        return


async def idle(server: Server) -> None:
    """Wait until nothing runs and nothing waits."""
    # What is waited for happens in another process.
    while sum(server.metric(f"stormproof_engine_{name}_requests") for name in QUEUES):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def test_a_storm_loses_nothing(serve: Callable[..., Server]) -> None:
    """Each of 200 requests gets the answer it gets alone, or a typed error; no block leaks."""
    # 64 blocks of 16 tokens: about six of the longest requests at once.
    server = serve("--num-blocks", "64", "--max-sequences", "16", "--max-waiting", "24")
    rng = random.Random(11)
    pool = questions(rng, 25)
    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=server.url, timeout=None, limits=limits) as client:
        expected = {question: await alone(client, question) for question in pool}
        outcomes: list[str] = []

        async def ask(question: Question) -> None:
            response = await client.post("/v1/completions", json=question.body(stream=False))
            if response.is_success:
                assert response.json()["choices"][0]["text"] == expected[question]
                outcomes.append("answered")
            else:
                error = response.json()["error"]
                assert error["code"] in known_errors()
                assert error["code"] == "CAPACITY_EXCEEDED"
                assert int(response.headers["retry-after"]) > 0
                outcomes.append("refused")

        async def one(turn: int) -> None:
            question = rng.choice(pool)
            if turn % 4 == 0:
                await leave_early(client, question, after=rng.uniform(0, 2))
                outcomes.append("left")
            else:
                await ask(question)

        async with asyncio.TaskGroup() as group:
            for turn in range(REQUESTS):
                group.create_task(one(turn))
        assert len(outcomes) == REQUESTS
        # How many of each is up to the machine's speed.
        assert set(outcomes) == {"answered", "refused", "left"}
        await idle(server)
    free = server.metric("stormproof_engine_kv_blocks_free")
    assert free == server.metric("stormproof_engine_kv_blocks") == 64
