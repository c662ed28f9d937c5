"""What a client gets while those behind a gateway fail, and whom the gateway calls for that.

The faults are those by which gateways are compared (`benchmarks/gateway_faults.py`).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from stormproof.testing.provider import (
    FAULTS,
    Asked,
    Break,
    Broken,
    Fault,
    Refusal,
    ScriptedProvider,
    ScriptedTarget,
    Step,
    text_of,
)
from support.serving import Server, running

PATH: Final = "/v1/chat/completions"
ANSWER: Final = text_of(32)
SORRY: Final = "Nobody can answer now."
PATIENCE: Final = 3
"""Seconds for a call that a rung makes."""

OUTER: Final = 60
"""Seconds in which everything is over, however busy the machine."""

ONE_AND_ONE: Final = (0, 1)
"""The first is called, and then the second."""

ORDER: Final[Mapping[str, Sequence[int]]] = {
    "503, eight requests": ONE_AND_ONE * 3 + (1,) * 5,
    "one of three down, eight requests": ONE_AND_ONE * 3 + (1,) * 5,
    "client gone": (0,),
    "stream: client gone": (0,),
    "all down": (0, 1, 2),
}
"""Who is called, in this order, where it is not one and one."""


ALONE: Final = tuple(
    Fault(f"alone: {how}", ((Broken(how), Refusal(503)),), stream=True) for how in Break
)
"""Nobody goes on with what breaks off."""


@dataclass
class Ordeal:
    """How it went.

    Attributes:
        called: Which targets were called, in this order.
        answers: What the client got, request by request.
    """

    targets: list[ScriptedTarget] = field(default_factory=list)
    called: list[int] = field(default_factory=list)
    answers: list["Got"] = field(default_factory=list)


@dataclass
class Got:
    """What a client got.

    Attributes:
        text: Of the answer.
        ends: Why it ends, as often as that was said.
        done: Whether it came to its end.
        error: The code of the error with which it ended.
        told: How it came about.
    """

    text: str = ""
    ends: list[str] = field(default_factory=list)
    done: bool = False
    error: str | None = None
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ordeals(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ordeal]:
    """Every fault happens to a model of its own, all at the same time."""
    file = tmp_path_factory.mktemp("faults") / "stormproof.toml"
    return asyncio.run(asyncio.wait_for(undergo_all(file), OUTER))


async def undergo_all(file: Path) -> Mapping[str, Ordeal]:
    faults = (*FAULTS, *ALONE)
    ordeals = {fault.name: Ordeal() for fault in faults}
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(ScriptedProvider())
        for fault in faults:
            offer(fault, ordeals[fault.name], provider)
        server = await asyncio.to_thread(serve, stack, file, tables(ordeals))
        client = httpx2.AsyncClient(base_url=server.url, timeout=None)
        await stack.enter_async_context(client)
        await asyncio.gather(*[undergo(client, fault, ordeals[fault.name]) for fault in faults])
    return ordeals


def offer(fault: Fault, ordeal: Ordeal, provider: ScriptedProvider) -> None:
    """Make the targets of a fault, which write down who is called."""
    for place, steps in enumerate(fault.targets):

        def take(_: Asked, place: int = place, steps: Sequence[Step] = steps) -> Step:
            ordeal.called.append(place)
            return steps[min(ordeal.called.count(place), len(steps)) - 1]

        ordeal.targets.append(provider.target(f"{fault.name}-{place}", take))


def tables(ordeals: Mapping[str, Ordeal]) -> str:
    """Return the file that says who answers while these happen."""
    providers, models = [], []
    for name, ordeal in ordeals.items():
        rungs = []
        for place, target in enumerate(ordeal.targets):
            provider = f"{name}-{place}"
            preset = f'preset = "openai-compatible"\nurl = "{target.url}"'
            providers.append(f"[providers.{provider}]\n{preset}")
            times = f"deadline = {PATIENCE}, idle = {PATIENCE}"
            rungs.append(f'{{ provider = "{provider}", model = "m", {times} }}')
        rungs.append(f'{{ answer = "{SORRY}" }}')
        models.append(f"[models.{name}]\nrungs = [{', '.join(rungs)}]")
    return "\n".join([*providers, *models])


def serve(stack: AsyncExitStack, file: Path, text: str) -> Server:
    file.write_text(text)
    return stack.enter_context(running("--config", str(file)))


async def undergo(client: httpx2.AsyncClient, fault: Fault, ordeal: Ordeal) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": fault.name, "messages": messages, "stream": fault.stream}
    if fault.leaves is not None:
        await leave(client, body, ordeal.targets[0])
        return
    for _ in range(fault.requests):
        response = await client.post(PATH, json=body)
        assert response.status_code == 200, response.text
        ordeal.answers.append((streamed if fault.stream else whole)(response))


async def leave(client: httpx2.AsyncClient, body: dict[str, Any], target: ScriptedTarget) -> None:
    """Ask, be gone once somebody was called or has begun to speak, and wait until he stops."""
    begun = asyncio.Event()

    async def listen() -> None:
        async with client.stream("POST", PATH, json=body) as response:
            async for _ in response.aiter_raw():
                begun.set()

    asking = asyncio.create_task(listen())
    while not (begun.is_set() if body["stream"] else target.calls):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asking.cancel()
    while not target.abandoned:  # noqa: ASYNC110 - it happens behind a socket
        await asyncio.sleep(0.01)


def whole(response: httpx2.Response) -> Got:
    document = response.json()
    [choice] = document["choices"]
    text, told = choice["message"]["content"], document["stormproof"]
    assert_headers_say(response, told)
    return Got(text, [choice["finish_reason"]], done=True, told=told)


def streamed(response: httpx2.Response) -> Got:
    got = Got()
    for event in response.text.split("\n\n"):
        data = event.rpartition("data: ")[2]
        if data == "[DONE]":
            got.done = True
        elif data:
            read(json.loads(data), got)
    assert_headers_say(response, got.told)
    return got


def read(document: dict[str, Any], got: Got) -> None:
    """Read an event; behind the end there is none."""
    assert not got.done
    assert got.error is None
    got.told = document.get("stormproof", got.told)
    if "error" in document:
        got.error = document["error"]["code"]
        return
    for choice in document["choices"]:
        got.text += choice["delta"].get("content") or ""
        got.ends += [choice["finish_reason"]] if choice["finish_reason"] else []


def assert_headers_say(response: httpx2.Response, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        assert response.headers[f"x-stormproof-{name}"] == str(value).lower()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_client_gets_the_answer(fault: Fault, ordeals: Mapping[str, Ordeal]) -> None:
    """All of it, once, with its end; and nobody is called who need not be."""
    ordeal = ordeals[fault.name]
    assert ordeal.called == list(ORDER.get(fault.title, ONE_AND_ONE))
    assert [target.calls for target in ordeal.targets] == [
        ordeal.called.count(place) for place in range(len(ordeal.targets))
    ]
    text = SORRY if fault.hopeless else ANSWER
    requests = 0 if fault.leaves else fault.requests
    assert [(got.text, got.ends, got.done) for got in ordeal.answers] == [
        (text, ["stop"], True)
    ] * requests


def test_the_client_is_told_who_answered(ordeals: Mapping[str, Ordeal]) -> None:
    """Of a stream, who began; of a model that is left alone, that nobody asked it."""
    [limited] = ordeals["429-retry-after-3"].answers
    name = "429-retry-after-3-1/m"
    assert limited.told == {"rung": name, "attempts": 2, "degraded": False}
    [broken] = ordeals["stream-5-tokens-reset"].answers
    assert broken.told["rung"] == "stream-5-tokens-reset-0/m"
    outage = ordeals["503-eight-requests"].answers
    assert [got.told["attempts"] for got in outage] == [2, 2, 2, 1, 1, 1, 1, 1]


def test_an_answer_that_is_none_of_a_model_says_so(ordeals: Mapping[str, Ordeal]) -> None:
    [sorry] = ordeals["all-down"].answers
    assert sorry.told == {"rung": "default", "attempts": 4, "degraded": True}


@pytest.mark.parametrize("fault", ALONE, ids=lambda fault: fault.name)
def test_what_nobody_goes_on_with_ends_with_an_error(
    fault: Fault, ordeals: Mapping[str, Ordeal]
) -> None:
    """It is not said to have stopped, and a fixed text is no rest of an answer."""
    ordeal = ordeals[fault.name]
    assert ordeal.called == [0, 0]
    [got] = ordeal.answers
    assert (got.text, got.ends, got.done) == (text_of(5), [], False)
    assert got.error == "PROVIDER_OVERLOADED"
