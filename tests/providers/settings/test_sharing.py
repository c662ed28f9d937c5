"""Processes with the same settings act as one, and its address is a secret."""

import builtins
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from stormproof.errors import ConfigurationError, StormproofError
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import ChatRequest
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.schema import ModelsFile
from stormproof.recovery import Event, StoreLost, StoreRegained, subscribe
from stormproof.testing.provider import Answer, Refusal, ScriptedProvider
from support.redis_server import PROGRAM, RedisServer

Read = Callable[[str], ModelsFile]

PASSWORD = "pw-" + "p" * 20
MODELS = """
[providers.first]
preset = "openai-compatible"
url = "{first}"
{limits}
[providers.second]
preset = "openai-compatible"
url = "{second}"
[models.chat]
rungs = [{{ provider = "first", model = "m" }}, {{ provider = "second", model = "m" }}]
"""


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    events: list[Event] = []
    unsubscribe = subscribe(events.append)
    yield events
    unsubscribe()


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


@asynccontextmanager
async def process(models: ModelsFile, **environment: str) -> AsyncIterator[Ladder]:
    """What one process makes of the settings."""
    client, kept = HttpClient(), Kept()
    builder = LadderBuilder(models, client, environment, kept=kept)
    yield builder.ladders()["chat"]
    client.close()
    if builder.store:
        await builder.store.aclose()


async def ask(ladder: Ladder) -> str:
    journey = Journey()
    messages = [{"role": "user", "content": "Hi"}]
    await ladder.complete(ChatRequest({"model": "chat", "messages": messages}), journey)
    return journey.rung or ""


def settings(read: Read, redis: RedisServer, *targets: Any, limits: str = "") -> ModelsFile:
    first, second = targets
    models = MODELS.format(first=first.url, second=second.url, limits=limits)
    return read(f'[redis]\nurl = "{redis.url}"\nprefix = "{uuid4().hex}"\n{models}')


async def test_an_outage_costs_two_processes_no_more_calls_than_one(
    read: Read, redis: RedisServer, provider: ScriptedProvider
) -> None:
    dead, healthy = provider.target("dead", Refusal(500)), provider.target("healthy", Answer())
    models = settings(read, redis, dead, healthy)
    async with process(models) as ours, process(models) as theirs:
        for _ in range(4):
            assert await ask(ours) == "second/m"
            assert await ask(theirs) == "second/m"
    assert dead.calls <= 3
    assert healthy.calls == 8


async def test_who_was_told_to_wait_tells_the_others(
    read: Read, redis: RedisServer, provider: ScriptedProvider
) -> None:
    busy = provider.target("busy", Refusal(429, retry_after=60), Answer())
    models = settings(read, redis, busy, provider.target("healthy", Answer()))
    async with process(models) as ours, process(models) as theirs:
        assert await ask(ours) == "second/m"
        assert await ask(theirs) == "second/m"
    assert busy.calls == 1


@pytest.mark.parametrize("tokens", ["", "\ntokens_per_minute = 1_000_000"])
async def test_a_limit_holds_for_all_together(
    read: Read, redis: RedisServer, provider: ScriptedProvider, tokens: str
) -> None:
    limited = provider.target("limited", Answer())
    limits = f"requests_per_minute = 5{tokens}"
    models = settings(read, redis, limited, provider.target("healthy", Answer()), limits=limits)
    async with process(models) as ours, process(models) as theirs:
        heard = [await ask(ladder) for _ in range(4) for ladder in (ours, theirs)]
    assert heard.count("first/m") == limited.calls == 5


async def test_without_redis_each_answers_by_itself_and_they_share_again_when_it_is_back(
    read: Read, provider: ScriptedProvider, heard: list[Event]
) -> None:
    if PROGRAM is None:
        pytest.skip("there is no redis-server on the PATH")
    redis = RedisServer()
    redis.start()
    first = provider.target("first", Answer())
    models = settings(read, redis, first, provider.target("second", Answer()))
    try:
        async with process(models) as ladder:
            assert await ask(ladder) == "first/m"
            redis.signal(signal.SIGKILL)
            while not any(isinstance(event, StoreLost) for event in heard):
                assert await ask(ladder) == "first/m"
            redis.start()
            while not any(isinstance(event, StoreRegained) for event in heard):
                assert await ask(ladder) == "first/m"
    finally:
        redis.close()
    told = [event for event in heard if isinstance(event, StoreLost | StoreRegained)]
    assert [type(event) for event in told] == [StoreLost, StoreRegained]


async def test_an_engine_and_fixed_answers_are_each_process_s_own(
    read: Read, redis: RedisServer
) -> None:
    models = read(f'[redis]\nurl = "{redis.url}"\n[models.chat]\nrungs = [{{ answer = "Hi" }}]')
    async with process(models) as ladder:
        assert await ask(ladder) == "default"
    with redis.client() as client:
        assert not [key for key in client.scan_iter() if "default" in key]


def refused(models: ModelsFile, environment: Mapping[str, str]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        LadderBuilder(models, HttpClient(), environment)
    return caught.value


def test_the_url_may_be_in_the_environment_and_is_never_shown(read: Read) -> None:
    models = read('[redis]\nurl_env = "OUR_REDIS"')
    url = f"redis://user:{PASSWORD}@localhost:6379/0"
    builder = LadderBuilder(models, HttpClient(), {"OUR_REDIS": url})
    assert builder.store
    assert PASSWORD not in repr(builder.store) + str(builder.store) + repr(models)


@pytest.mark.parametrize("url", ["", f"http://{PASSWORD}@localhost", f"redis://:{PASSWORD}@h:no"])
def test_a_url_that_is_none_is_told_by_its_variable(read: Read, url: str) -> None:
    error = refused(read('[redis]\nurl_env = "OUR_REDIS"'), {"OUR_REDIS": url})
    assert "OUR_REDIS" in error.reason
    assert PASSWORD not in str(error) + repr(error.details) + repr(error.__context__)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (f'url = "redis://:{PASSWORD}@host"', "use url_env"),
        (f'url = "redis://host?password={PASSWORD}"', "use url_env"),
        ('url = "http://host"', "must begin with redis://"),
        ('url = "redis://[host"', "is not a URL"),
        ("", "needs either a url or a url_env"),
        ('url = "redis://host"\nurl_env = "A"', "needs either a url or a url_env"),
        ('url = "redis://host"\nprefiks = "a"', "did you mean 'prefix'?"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(read: Read, table: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"[redis]\n{table}")
    assert message in caught.value.reason
    assert PASSWORD not in str(caught.value)


def test_without_the_library_it_is_told_what_to_install(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "stormproof.recovery.redis":
            raise ModuleNotFoundError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    error: StormproofError = refused(read('[redis]\nurl = "redis://localhost"'), {})
    assert "stormproof[redis]" in str(error)
