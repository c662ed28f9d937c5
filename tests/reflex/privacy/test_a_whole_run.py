"""Two hundred secrets go through a gateway, and none of them is found anywhere afterwards."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx2
import pytest

from stormproof.testing.provider import Reply, Said, ScriptedProvider
from support.gateway_run import GatewayRun
from support.leaks import Leaks
from support.raw_server import RawServer, request
from support.redis_server import PROGRAM, RedisServer
from support.secrets import Secret, secrets

COUNT = 200
Ask = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")


def said_again(conversation: Sequence[Said]) -> Reply:
    """The worst that a model can do."""
    return Reply(f"You said: {conversation[-1].text}")


async def quote(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int) -> None:
    """Refuse a request, and say in the error all that was sent."""
    sent = (await request(reader)).partition(b"\r\n\r\n")[2].decode()
    error = {"message": f"I do not like {sent}", "type": "x", "code": "y"}
    body = json.dumps({"error": error}).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


def chat(model: str, **more: object) -> Ask:
    """Ask in OpenAI's way."""

    async def ask(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
        messages = [{"role": "user", "content": text}]
        body = {"model": model, "messages": messages, "temperature": 0, **more}
        return await client.post("/v1/chat/completions", json=body)

    return ask


async def user(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Ask on behalf of somebody whose name is a secret."""
    return await chat("reporting", user=text)(client, text)


async def messages(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Ask in Anthropic's way."""
    said = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    body = {"model": "redacting", "max_tokens": 100, "messages": said, "system": f"Note: {text}"}
    return await client.post("/v1/messages", json=body)


async def completion(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Have a text continued."""
    return await client.post("/v1/completions", json={"model": "redacting", "prompt": text})


async def tool_result(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Tell what a tool was called with, and what it has found."""
    function = {"name": "mail", "arguments": json.dumps({"text": text})}
    said = [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"found": text})},
    ]
    return await client.post("/v1/chat/completions", json={"model": "redacting", "messages": said})


async def unreadable(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Send what is not JSON."""
    content = f'{{"model": "redacting", "messages": [{text!r}'
    return await client.post("/v1/chat/completions", content=content)


async def misshapen(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """Send a secret in place of a number, of a role, and as a field that there is not."""
    said = [{"role": text, "content": text}]
    body = {"model": "redacting", "messages": said, "temperature": text, text: text}
    return await client.post("/v1/chat/completions", json=body)


WAYS: Mapping[str, Ask] = {
    "redacted": chat("redacting"),
    "redacted, streamed": chat("redacting", stream=True),
    "blocked": chat("blocking"),
    "reported": chat("reporting"),
    "reported, streamed": chat("reporting", stream=True),
    "quoted in an error": chat("failing"),
    "quoted in an error, streamed": chat("failing", stream=True),
    "quoted in a refusal": chat("refusing"),
    "shared": chat("sharing"),
    "of the user": user,
    "in Anthropic's messages": messages,
    "in a text to continue": completion,
    "in a tool's result": tool_result,
    "in what is not JSON": unreadable,
    "in the wrong places": misshapen,
}


async def ask_all(url: str, key: str, planted: Sequence[Secret], run: GatewayRun) -> None:
    """Ask about each secret, twice in one of the ways; keep what is said in errors and metrics."""
    ways, headers = list(WAYS.values()), {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, timeout=60, headers=headers) as client:
        for number, secret in enumerate(planted):
            for _ in range(2):
                response = await ways[number % len(ways)](client, secret.text)
                if response.is_error or b'"error"' in response.content:
                    run.told.append(repr(response.headers).encode() + response.content)
        run.told.append((await client.get("/metrics")).content)


async def tell_what_is_no_secret(url: str, key: str) -> httpx2.Response:
    """Ask what is kept, or quoted: a control, by which the search shows what it can find."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, timeout=60, headers=headers) as client:
        for model in ("redacting", "sharing"):
            assert (await chat(model)(client, CONTROL)).is_success
        return await chat("refusing")(client, CONTROL)


CONTROL = "the harmless storm of Brookfield"


async def test_none_of_two_hundred_secrets_is_found_afterwards(tmp_path: Path) -> None:
    """Not in logs, metrics, errors, caches, databases or Redis; not after kills either."""
    planted, redis = secrets(COUNT, seed=7), RedisServer("--rdbcompression", "no")
    async with AsyncExitStack() as stack:
        redis.start()
        stack.callback(redis.close)
        settings = await said_in_the_file(stack)
        run = GatewayRun(tmp_path, settings, REDIS=redis.url, STORMPROOF_SECRET="x" * 32)
        key = run.tell("key", "create", "app", "--json")["key"]
        run.told.clear()
        quoted: list[httpx2.Response] = []
        for part in (planted[: COUNT // 2], planted[COUNT // 2 :]):
            with run.serving() as url:
                await ask_all(url, key, part, run)
                quoted.append(await tell_what_is_no_secret(url, key))
        for command in COMMANDS:
            run.tell(*command)
        run.told.append(dump(redis))

    control = Leaks({"control": CONTROL})
    assert {Path(file).name for file in control.in_files(tmp_path)} & {
        "answers.db",
        "answers.db-wal",
    }
    assert control.within(run.told[-1])
    assert all(control.within(response.content) for response in quoted)

    leaks = Leaks({"key": key, **{secret.name: secret.value for secret in planted}})
    assert leaks.in_files(tmp_path) == {}
    assert [leaks.within(told) for told in run.told if leaks.within(told)] == []


COMMANDS = (("doctor",), ("key", "usage", "--json"))


async def said_in_the_file(stack: AsyncExitStack) -> str:
    """Return the settings, with providers that listen."""
    provider = await stack.enter_async_context(ScriptedProvider())
    targets = {"echo": provider.target("echo", says=said_again).url}
    for name, status in (("failing", 500), ("refusing", 400)):
        server = RawServer()
        targets[name] = await server.start(partial(quote, status=status))
        stack.callback(server.stop)
    return "\n".join([_HEAD, *_tables(targets)])


_HEAD = """
[reflex]
database = "sqlite:///books.db"
[reflex.cache]
file = "answers.db"
[reflex.pii]
answers = true
[reflex.injection]
action = "report"
[reflex.budget]
unpriced = "free"
[reflex.limits]
key = { requests_per_minute = 1_000_000, money_per_day = 1_000 }
user = { tokens_per_minute = 1_000_000_000, money_per_month = 1_000 }
address = { concurrency = 1_000 }
[redis]
url_env = "REDIS"
[reflex.models.blocking.pii]
action = "block"
[reflex.models.sharing.cache]
url_env = "REDIS"
secret_env = "STORMPROOF_SECRET"
"""
_REPORTING = ("reporting", "sharing", "failing", "refusing")


def _tables(targets: Mapping[str, str]) -> Iterator[str]:
    for name, url in targets.items():
        yield f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{url}"'
    for model in ("redacting", "blocking", *_REPORTING):
        provider = model if model in targets else "echo"
        yield f'[models.{model}]\nrungs = [{{ provider = "{provider}", model = "m" }}]'
    for model in _REPORTING:
        yield f'[reflex.models.{model}.pii]\naction = "report"'


def dump(redis: RedisServer) -> bytes:
    """Return everything that Redis holds."""
    with redis.client() as client:
        client.save()
        return Path(client.config_get("dir")["dir"], "dump.rdb").read_bytes()
