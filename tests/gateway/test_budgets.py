"""A server that may spend so much: as many requests are answered as that pays for."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from stormproof.testing.provider import Reply, ScriptedProvider
from support.ladder_server import serving_file

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


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_as_many_are_answered_as_are_paid_for(tmp_path: Path, stream: bool) -> None:
    """Each may cost 10 and costs 4: of 400 98 can be paid, and then there is not enough left.

    Nobody asks for the count of a stream's tokens; it is counted all the same.
    """
    messages = [{"role": "user", "content": "hi"}]
    asked = {"model": "chat", "messages": messages, "max_tokens": 10, "stream": stream}
    async with ScriptedProvider() as provider:
        target = provider.target("p", says=lambda _: Reply("one two three four "))
        file = tmp_path / "stormproof.toml"
        file.write_text(SETTINGS.format(url=target.url))
        async with serving_file(file) as url, httpx2.AsyncClient(timeout=None) as client:

            async def answered() -> bool:
                response = await client.post(f"{url}/chat/completions", json=asked)
                refused = response.status_code == 429
                assert refused or response.status_code == 200
                assert refused is ("BUDGET_EXCEEDED" in response.text)
                return not refused

            passed = sum(await asyncio.gather(*(answered() for _ in range(150))))
            while await answered():
                passed += 1
        assert passed == target.calls == 98
