"""Everybody whom the settings name is asked once, or called."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from stormproof.errors import (
    ConfigurationError,
    DeadlineExceeded,
    ModelNotFound,
    ProviderError,
    ProviderUnauthorized,
    StormproofError,
)
from stormproof.providers.http.client import HttpClient
from stormproof.providers.settings.checking import Finding, check_targets
from stormproof.providers.settings.hosted import Hosted
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


async def check(
    models: ModelsFile, client: HttpClient, deadline: float = 30.0, *, call: bool = True
) -> list[Finding]:
    hosted = Hosted(models, client, {"OUR_KEY": "k"})
    return await check_targets(models, hosted, deadline=deadline, call=call)


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


LISTED = {"data": [{"id": "x"}]}


@pytest.fixture
def listing(server: RawServer) -> Callable[..., Awaitable[str]]:
    """Starts a provider that lists its models, to those whose key it knows."""

    async def starting(status: int = 200, *, key: str = "k") -> str:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = (await request(reader)).decode()
                server.requests.append(head.encode())
                good = f"authorization: Bearer {key}" in head
                path = head.split()[1]
                there = 404 if path.count("/models/") else status
                body = json.dumps(LISTED).encode()
                head = f"HTTP/1.1 {there if good else 401} X\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)

        return (await server.start(behave)).removesuffix("/x")

    return starting


KEYED = 'key_env = "OUR_KEY"'


async def test_who_lists_the_model_works_and_is_not_called(
    read: Read, client: HttpClient, listing: Callable[..., Awaitable[str]], server: RawServer
) -> None:
    models = read(f"{provider('a', await listing(), KEYED)}[models.m]\nrungs = [{rung('a')}]")
    [found] = await check(models, client, call=False)
    assert (found.reached, found.accepted, found.known) == (True, True, True)
    assert (found.key, found.error, found.note) == ("OUR_KEY", None, "")
    assert not any(b"POST" in one for one in server.requests)


@pytest.mark.parametrize(
    ("status", "key", "expected", "error"),
    [
        (200, "other", (True, False, None), ProviderUnauthorized),
        (503, "k", (True, None, None), StormproofError),
        (404, "k", (True, None, None), None),
    ],
)
async def test_how_far_one_comes_is_told(
    read: Read,
    client: HttpClient,
    listing: Callable[..., Awaitable[str]],
    *,
    status: int,
    key: str,
    expected: object,
    error: type[Exception] | None,
) -> None:
    """Who has no list works as far as one can see, and that is said."""
    url = await listing(status, key=key)
    models = read(f"{provider('a', url, KEYED)}[models.m]\nrungs = [{rung('a')}]")
    [found] = await check(models, client, call=False)
    assert (found.reached, found.accepted, found.known) == expected
    assert isinstance(found.error, error or type(None))
    assert ("--call" in found.note) is (error is None)


@pytest.mark.parametrize(("lists", "error"), [("true", ModelNotFound), ("false", type(None))])
async def test_a_model_that_is_not_listed_is_not_there(
    read: Read,
    client: HttpClient,
    listing: Callable[..., Awaitable[str]],
    lists: str,
    error: type[Exception],
) -> None:
    """Unless the provider has more than it lists."""
    text = provider("a", await listing(), f"{KEYED}\nlists_models = {lists}")
    models = read(f"{text}[models.m]\nrungs = [{rung('a').replace('x', 'gtp')}]")
    [found] = await check(models, client, call=False)
    assert isinstance(found.error, error)
    assert found.known is (False if lists == "true" else None)


async def test_who_is_not_there_is_not_reached(read: Read, client: HttpClient) -> None:
    models = read(f"{provider('a', 'http://127.0.0.1:1/v1')}[models.m]\nrungs = [{rung('a')}]")
    [found] = await check(models, client, call=False)
    assert (found.reached, found.accepted, found.known) == (False, None, None)


async def test_a_key_that_is_missing_is_told_before_anybody_is_asked(
    read: Read, client: HttpClient
) -> None:
    text = provider("a", "http://127.0.0.1:1/v1", 'key_env = "NOT_THERE"')
    [found] = await check(read(f"{text}[models.m]\nrungs = [{rung('a')}]"), client, call=False)
    assert (found.reached, found.key) == (None, "NOT_THERE")
    assert isinstance(found.error, ConfigurationError)


@pytest.mark.parametrize(
    ("vector", "fine"),
    [([1.0, 2.0, 3.0], True), ([2.01, 4.0, 6.1], True), ([3.0, -2.0, 1.0], False), ([1.0], False)],
)
async def test_hosts_of_one_model_must_give_its_vectors(
    read: Read, client: HttpClient, vector: list[float], *, fine: bool
) -> None:
    """Who gives others would spoil every search, though nothing failed."""
    servers, text = [], ""
    for name, given in (("a", [1.0, 2.0, 3.0]), ("b", vector)):
        body = json.dumps({"data": [{"index": 0, "embedding": given}]}).encode()
        servers.append(RawServer())
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
        url = await servers[-1].answering(head + body)
        text += provider(name, url.removesuffix("/x"))
    rungs = f"[embeddings.e]\nrungs = [{rung('a')}, {rung('b')}]"
    first, second = await check(read(text + rungs), client, call=True)
    assert first.error is None
    assert isinstance(second.error, type(None) if fine else ConfigurationError)
    for server in servers:
        server.stop()
