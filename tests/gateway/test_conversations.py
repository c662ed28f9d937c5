"""Clients as people use them talk through a gateway while a third of the calls behind it fail.

They notice nothing: their own retries are off, and every word, call and count is what it is when
nothing fails.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from stormproof.testing.provider import (
    Asked,
    Break,
    Broken,
    Page,
    Refusal,
    Reply,
    Reset,
    Said,
    Script,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    ToolCall,
    every,
)
from support.clients import (
    AnthropicClient,
    Client,
    Heard,
    LangChain,
    Messages,
    OpenAIClient,
    ResponsesClient,
)
from support.serving import running

FAULTS: Final = (
    Reset(),
    Refusal(500),
    Refusal(429, retry_after=1),
    Broken(Break.CUT, 3),
    Broken(Break.END, 4),
    Broken(Break.ERROR, 5),
    Broken(Break.STALL, 6),
    Broken(Break.GARBAGE, 7),
    Page(b"<html>Come back later.</html>", "text/html"),
)
GPT_FIRST: Final = ("gpt", "claude", "other")
CLAUDE_FIRST: Final = ("claude", "gpt", "other")
"""Who is asked; two of them speak OpenAI's API."""

ROUNDS: Final = 2
"""How often each happens."""


def guide(conversation: Sequence[Said]) -> Reply:
    """Look the weather of two places up, compare, choose in JSON, and tell a story."""
    _, asked = next(said for said in reversed(conversation) if said.role == "user")
    results = [text for role, text in conversation if role == "tool"]
    turn = len(conversation)
    if "story" in asked:
        return Reply(" ".join(f"In chapter {n} of {turn}, it rains.\n" for n in range(12)))
    if "Choose" in asked:
        return Reply(
            json.dumps({"place": "Oslo", "because": f"{results[-1]} is “cool”, at {turn}"})
        )
    if conversation[-1].role == "tool":
        return Reply(f"Rome has {results[-2]} degrees, and Oslo has {results[-1]} of them. " * 3)
    calls = [ToolCall("weather", json.dumps({"place": place})) for place in ("Rome", "Oslo")]
    return Reply(f"I look at both of them now, at turn {turn} of all. ", tuple(calls))


@dataclass
class Storm:
    """Fails every third call of all that are made behind a model."""

    plan: Script = field(default_factory=lambda: every(3, *FAULTS))
    seen: list[Step] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Step:
        step = self.plan(asked)
        self.seen += [step] * (step in FAULTS)
        return step

    @property
    def over(self) -> bool:
        return len(self.seen) >= len(FAULTS) * ROUNDS


@dataclass(frozen=True)
class Gateway:
    """A gateway with two models: behind one of them nothing fails."""

    url: str
    storm: Storm


async def converse(client: Client) -> list[Heard]:
    """Speak with a model for some turns; return its answers."""
    messages: Messages = [{"role": "system", "content": "You are a guide."}]
    heard = []
    for turn, stream in enumerate((True, False, True)):
        messages.append({"role": "user", "content": f"{turn}: where is it warmer?"})
        called = await client.ask(messages, stream=stream)
        messages.append(called.message)
        for degrees, (call_id, _, arguments) in enumerate(called.calls):
            told = f"{turn}{degrees} in {arguments['place']}"
            messages.append({"role": "tool", "tool_call_id": call_id, "content": told})
        compared = await client.ask(messages, stream=not stream)
        messages += [compared.message, {"role": "user", "content": "Choose one."}]
        chosen = await client.choose(messages, stream=stream)
        messages += [chosen.message, {"role": "user", "content": "Tell me a story."}]
        told_story = await client.ask(messages, stream=True)
        messages.append(told_story.message)
        heard += [called, compared, chosen, told_story]
    return heard


def rung(provider: str, *, patience: float) -> str:
    times = f"deadline = {patience}, idle = {patience}"
    return f'{{ provider = "{provider}", model = "m", {times} }}'


def settings(first: Sequence[str], targets: Mapping[str, ScriptedTarget]) -> str:
    """Return a file whose model `storm` asks these first."""
    apis = {"claude": "anthropic"}
    providers = [
        f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{target.url}"\n'
        f'api = "{apis.get(name, "openai")}"\n'
        for name, target in targets.items()
    ]
    calm, storm = rung("calm", patience=60), [rung(name, patience=2) for name in first]
    models = f"[models.calm]\nrungs = [{calm}]\n[models.storm]\nrungs = [{', '.join(storm)}]\n"
    return "\n".join(providers) + models


@pytest.fixture
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(ScriptedProvider())
        storm = Storm()
        targets = {name: provider.target(name, storm, says=guide) for name in request.param}
        targets["calm"] = provider.target("calm", says=guide)
        file = tmp_path / "stormproof.toml"
        file.write_text(settings(request.param, targets))
        server = stack.enter_context(running("--config", str(file)))
        yield Gateway(server.url, storm)


@pytest.mark.parametrize(
    ("client", "gateway"),
    [
        (OpenAIClient, GPT_FIRST),
        (ResponsesClient, CLAUDE_FIRST),
        (AnthropicClient, GPT_FIRST),
        (AnthropicClient, CLAUDE_FIRST),
        (LangChain, CLAUDE_FIRST),
    ],
    indirect=["gateway"],
)
async def test_nothing_is_to_be_seen_of_failures_but_the_answer(
    gateway: Gateway, client: type[Client]
) -> None:
    """Turns, tools side by side, their results, JSON of a schema, streams, and the tokens."""
    async with aclosing(client(gateway.url, "calm")) as undisturbed:
        calm = await converse(undisturbed)
    assert [len(heard.calls) for heard in calm] == [2, 0, 0, 0] * 3
    async with aclosing(client(gateway.url, "storm")) as disturbed:
        while not gateway.storm.over:
            assert await converse(disturbed) == calm
    assert set(gateway.storm.seen) == set(FAULTS)
