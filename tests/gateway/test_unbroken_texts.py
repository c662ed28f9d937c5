"""Whatever becomes of a stream, its text is whole: the rest is that of a longer prompt."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from stormproof.testing.provider import (
    Answer,
    Break,
    Broken,
    Page,
    Refusal,
    Reset,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    text_of,
)
from support.ladder_server import serving_file

PROMPT = "Once upon a time"


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


async def tell(folder: Path, *targets: ScriptedTarget, **fields: Any) -> list[Any]:
    """Ask the official client for a stream of what these host, one after the other."""
    tables = [
        f'[providers.p{n}]\npreset = "openai-compatible"\ncompletions = true\nurl = "{target.url}"'
        for n, target in enumerate(targets)
    ]
    rungs = [f'{{ provider = "p{n}", model = "t", idle = 0.3 }}' for n in range(len(targets))]
    file = folder / "stormproof.toml"
    file.write_text("\n".join([*tables, "[models.text]", f"rungs = [{', '.join(rungs)}]"]))
    async with (
        serving_file(file) as url,
        openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client,
    ):
        options = {"include_usage": True}
        create: Any = client.completions.create
        stream = await create(
            model="text", prompt=PROMPT, stream=True, stream_options=options, **fields
        )
        return [chunk async for chunk in stream]


@pytest.mark.parametrize(
    "fault",
    [
        *(Broken(how, 5) for how in Break),
        Refusal(500),
        Reset(),
        Refusal(429, retry_after=5),
        Page(b"<html>", "text/html"),
    ],
)
async def test_the_text_is_whole(provider: ScriptedProvider, tmp_path: Path, fault: Step) -> None:
    """Every word once, one end, and as many tokens as there are; each was asked once."""
    failing, healthy = provider.target("a", fault), provider.target("b", Answer())
    chunks = await tell(tmp_path, failing, healthy, max_tokens=40)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == text_of(32)
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert [end for end in ends if end] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage.completion_tokens == 32
    assert (failing.calls, healthy.calls) == (1, 1)
    asked = json.loads(healthy.body)
    begun = 5 if isinstance(fault, Broken) else 0
    assert asked["prompt"] == PROMPT + text_of(begun)
    assert asked["max_tokens"] == 40 - begun


async def test_a_lone_provider_goes_on_with_its_own_text(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    alone = provider.target("a", Broken(Break.CUT, 7), Answer())
    chunks = await tell(tmp_path, alone)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == text_of(32)
    assert alone.calls == 2
