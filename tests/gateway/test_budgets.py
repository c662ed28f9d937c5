"""A server that may spend so much: as many requests are answered as that pays for."""

import asyncio
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from stormproof.testing.provider import Reply, ScriptedProvider
from support.ladder_server import serving_file
from support.redis_server import RedisServer
from support.serving import running

SETTINGS = """\
[providers.p]
preset = "openai-compatible"
url = "{url}"
[models.chat]
rungs = [{{ provider = "p", model = "m", price = {{ input = 0, output = 1_000_000 }} }}]
[reflex.limits.all]
money_per_day = 400
"""
"""A token of an answer costs 1."""


FOUR = "one two three four "
"""Tokens of every answer."""

PAID = 98
"""Each call may cost 10 and costs 4: of 400 so many can be paid, then there are not 10 left."""


class Callers:
    """Those who ask a server, and what came of it."""

    def __init__(
        self, url: str, client: httpx2.AsyncClient, *, stream: bool = False, most: int = 10
    ) -> None:
        messages = [{"role": "user", "content": "hi"}]
        self._asked = {"model": "chat", "messages": messages, "max_tokens": most, "stream": stream}
        self._url = url
        self._client = client
        self.answered = 0

    async def ask(self) -> bool:
        """Return whether there was an answer."""
        response = await self._client.post(f"{self._url}/chat/completions", json=self._asked)
        refused = response.status_code == 429
        assert refused or response.status_code == 200
        assert refused is ("BUDGET_EXCEEDED" in response.text)
        self.answered += not refused
        return not refused

    async def spend_everything(self) -> None:
        """Ask all at once, then one after the other: what was not needed comes back."""
        await asyncio.gather(*(self.ask() for _ in range(150)))
        refusals = 0
        while refusals < 20:
            refusals = 0 if await self.ask() else refusals + 1


async def test_of_a_thousand_requests_at_once_a_hundred_are_paid_for(tmp_path: Path) -> None:
    """Each costs all that it may, so exactly as many are answered as the budget is for."""
    limits = httpx2.Limits(max_connections=300)
    async with (
        ScriptedProvider() as provider,
        httpx2.AsyncClient(timeout=None, limits=limits) as client,
    ):
        target = provider.target("p", says=lambda _: Reply(FOUR))
        file = tmp_path / "stormproof.toml"
        file.write_text(SETTINGS.format(url=target.url))
        async with serving_file(file) as url:
            callers = Callers(url, client, most=4)
            await asyncio.gather(*(callers.ask() for _ in range(1000)))
        assert callers.answered == target.calls == 100


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_as_many_are_answered_as_are_paid_for(tmp_path: Path, stream: bool) -> None:
    """Nobody asks for the count of a stream's tokens; it is counted all the same."""
    async with ScriptedProvider() as provider, httpx2.AsyncClient(timeout=None) as client:
        target = provider.target("p", says=lambda _: Reply(FOUR))
        file = tmp_path / "stormproof.toml"
        file.write_text(SETTINGS.format(url=target.url))
        async with serving_file(file) as url:
            callers = Callers(url, client, stream=stream)
            await callers.spend_everything()
        assert callers.answered == target.calls == PAID


async def test_two_workers_spend_no_more_than_one(tmp_path: Path, redis: RedisServer) -> None:
    """What is spent they have in Redis."""
    async with ScriptedProvider() as provider, httpx2.AsyncClient(timeout=None) as client:
        target = provider.target("p", says=lambda _: Reply(FOUR))
        file = tmp_path / "stormproof.toml"
        shared = f'[redis]\nurl = "{redis.url}"\nprefix = "{uuid4().hex}"\n'
        file.write_text(shared + SETTINGS.format(url=target.url))
        with running("--config", str(file), "--workers", "2") as server:
            callers = Callers(f"{server.url}/v1", client)
            await callers.spend_everything()
        assert callers.answered == target.calls == PAID
