"""Whatever fails behind the gateway reaches an OpenAI client as the exception it should be.

The failures are made on demand by a scripted model; the engine, the application and the client
are the real ones.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from prometheus_client import CollectorRegistry

from stormproof.engine import AsyncLLM
from stormproof.errors import OutOfBlocks, StormproofError
from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.signals import Metrics
from support.error_samples import OURS, make_whole
from support.scripted_engine import make_core
from support.serving import MODEL

Fail = Callable[[list[int]], int]

CLASSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


@asynccontextmanager
async def client_of(script: Fail) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of an application whose model does what ``script`` does."""
    engine = AsyncLLM(make_core(script))
    lifecycle = Lifecycle(engine, drain_timeout=0)
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        engine,
        load_settings({}),
        model_name=MODEL,
        keyring=Keyring(()),
        lifecycle=lifecycle,
        metrics=metrics,
    )
    transport = httpx2.ASGITransport(app=app)
    try:
        async with openai.AsyncOpenAI(
            base_url="http://here/v1",
            api_key="none",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport),
        ) as client:
            yield client
    finally:
        metrics.close()
        lifecycle.close()


def failing(error: Exception, *, after: int = 0) -> Fail:
    """A model that raises once it has said so many letters."""
    spoken = iter(range(after))

    def script(_context: list[int]) -> int:
        if next(spoken, None) is None:
            raise error
        return ord("a")

    return script


async def ask(client: openai.AsyncOpenAI, **options: Any) -> Any:
    return await client.completions.create(model=MODEL, prompt="x", max_tokens=8, **options)


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.code)
async def test_an_error_keeps_its_status_code_and_wait(cls: type[StormproofError]) -> None:
    """Every class of ours arrives as the client's own class for its status."""
    error = make_whole(cls)
    error.retry_after = 7
    async with client_of(failing(error)) as client:
        with pytest.raises(CLASSES.get(cls.http_status, openai.APIStatusError)) as caught:
            await ask(client)
    assert caught.value.status_code == cls.http_status
    assert caught.value.code == cls.code
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-request-id"] == caught.value.request_id


async def test_an_unexpected_exception_shows_nothing_internal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client gets a code and a request id; the log, under that id, gets the story."""
    secret = "/srv/private/path: the password is hunter2"
    async with client_of(failing(RuntimeError(secret))) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)
    assert caught.value.code == "INTERNAL_ERROR"
    assert "private" not in caught.value.response.text
    assert "RuntimeError" not in caught.value.response.text
    assert caught.value.request_id is not None
    assert caught.value.request_id in caplog.text
    assert "private" in caplog.text


async def test_a_bug_in_a_route_is_an_internal_error_like_any_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("stormproof.providers.local.prompts.Prompts.complete", fail)
    async with client_of(lambda _: 97) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)
    assert caught.value.code == "INTERNAL_ERROR"
    assert "hunter2" not in caught.value.response.text
    assert caught.value.request_id
    assert caught.value.request_id in caplog.text
    assert "hunter2" in caplog.text


async def test_a_failure_inside_a_stream_is_its_last_event() -> None:
    """What was said before arrives, then the error, and no false end."""
    error = OutOfBlocks(needed=3, free=1)
    said: list[str] = []
    async with client_of(failing(error, after=3)) as client:
        stream = await ask(client, stream=True)
        with pytest.raises(openai.APIError) as caught:
            await listen(stream, said)
    assert "".join(said) == "aaa"
    assert caught.value.code == "OUT_OF_BLOCKS"


async def test_a_failure_inside_a_whole_answer_is_the_answer() -> None:
    """Nothing was delivered: the client is told what went wrong, and not how far it came."""
    async with client_of(failing(OutOfBlocks(needed=3, free=1), after=3)) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(client)
    assert (caught.value.status_code, caught.value.code) == (503, "OUT_OF_BLOCKS")


async def listen(stream: Any, said: list[str]) -> None:
    async for chunk in stream:
        said.append(chunk.choices[0].text)
        assert chunk.choices[0].finish_reason is None
