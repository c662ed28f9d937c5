"""Everybody whom the settings name is called once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from stormproof.errors import (
    ConfigurationError,
    DeadlineExceeded,
    ProviderError,
    ProviderUnauthorized,
    StormproofError,
)
from stormproof.providers.http.client import HttpClient
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.checking import Finding, check_targets
from stormproof.providers.settings.schema import ModelsFile
from support.raw_server import RawServer, request

Read = Callable[[str], ModelsFile]

ANSWER = {"message": {"role": "assistant", "content": ""}, "finish_reason": "length"}
SILENT = "never answers"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client that is closed in the end."""
    made = HttpClient()
    yield made
    made.close()


Start: TypeAlias = Callable[[str], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts providers that answer with a status; they are stopped in the end."""
    running: list[RawServer] = []

    async def starting(status: str) -> str:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request(reader)
            if status != SILENT:
                body = json.dumps({"choices": [ANSWER]}).encode()
                head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
            await reader.read()

        running.append(RawServer())
        return (await running[-1].start(behave)).removesuffix("/x")

    yield starting
    for server in running:
        server.stop()


def provider(name: str, url: str, more: str = "") -> str:
    return f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{url}"\n{more}\n'


def rung(name: str) -> str:
    return f'{{ provider = "{name}", model = "x" }}'


async def check(models: ModelsFile, client: HttpClient, deadline: float = 30.0) -> list[Finding]:
    return await check_targets(models, LadderBuilder(models, client, {}), deadline=deadline)


async def test_each_is_called_once_whoever_needs_it(
    read: Read, client: HttpClient, start: Start
) -> None:
    """And one that is cut short works."""
    text = provider("a", await start("200 OK"))
    text += f'[models.m]\nrungs = [{rung("a")}, {{ answer = "A" }}]\n'
    [finding] = await check(read(f"{text}[models.n]\nrungs = [{rung('a')}]"), client)
    assert (finding.target, finding.models, finding.error) == ("a/x", ["m", "n"], None)


@pytest.mark.parametrize(
    ("status", "more", "error"),
    [
        ("401 X", "", ProviderUnauthorized),
        ("404 X", "", StormproofError),
        ("200 OK", 'key_env = "NOT_THERE"', ConfigurationError),
    ],
)
async def test_who_does_not_answer_is_told_with_the_reason(
    read: Read, client: HttpClient, start: Start, *, status: str, more: str, error: type[Exception]
) -> None:
    """Which says nothing of others."""
    text = provider("bad", await start(status), more) + provider("good", await start("200 OK"))
    models = read(f"{text}[models.m]\nrungs = [{rung('bad')}, {rung('good')}]")
    first, second = await check(models, client)
    assert isinstance(first.error, error)
    assert second.error is None


async def test_nobody_is_waited_for_without_end(
    read: Read, client: HttpClient, start: Start
) -> None:
    models = read(provider("a", await start(SILENT)) + f"[models.m]\nrungs = [{rung('a')}]")
    [finding] = await check(models, client, deadline=0.01)
    assert isinstance(finding.error, DeadlineExceeded)


async def test_who_hosts_vectors_is_asked_for_some(
    read: Read, client: HttpClient, start: Start
) -> None:
    """An answer in words is none."""
    text = provider("a", await start("200 OK"))
    models = read(f"{text}[models.m]\nrungs = [{rung('a')}]\n[embeddings.e]\nrungs = [{rung('a')}]")
    chat, vectors = await check(models, client)
    assert (chat.models, chat.error) == (["m"], None)
    assert vectors.models == ["e"]
    assert isinstance(vectors.error, ProviderError)
