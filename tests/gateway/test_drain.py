"""A server that was told to stop does stop, whatever fails on the way."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import httpx2
import pytest

from stormproof.engine import AsyncLLM, SamplingParams
from stormproof.errors import ServiceUnavailable
from stormproof.gateway import Lifecycle
from support.scripted_engine import make_core

_SERVER = """
import os, signal
from stormproof.gateway import Lifecycle
from stormproof.gateway.server import listen, run

class Broken(Lifecycle):
    def __init__(self):
        pass

    async def drain(self):
        raise RuntimeError("can't start new thread")

    def close(self):
        print("closed")

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})

listener = listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
run(app, Broken(), listener)
"""


def test_a_drain_that_fails_is_told_and_the_server_ends() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        _answers(port)
        server.send_signal(signal.SIGTERM)
        try:
            said, logged = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode == 0
    assert said == "closed\n"
    assert "can't start new thread" in logged


def _answers(port: int) -> None:
    """Wait for an answer: from then on, signals are heard."""
    httpx2.get(f"http://127.0.0.1:{port}/", timeout=60)


class UndrainableEmbedder:
    """An embedding model for whose draining there is no thread left."""

    async def drain(self, _grace: float) -> None:
        raise RuntimeError("can't start new thread")


async def test_what_cannot_be_drained_cuts_nobody_short() -> None:
    """The engine's streams get their grace, and then the failure is told."""
    with AsyncLLM(make_core()) as engine:
        embedders: Any = [UndrainableEmbedder()]
        lifecycle = Lifecycle(engine, drain_timeout=600, embedders=embedders)
        params = SamplingParams(max_tokens=20, ignore_eos=True)
        stream = engine.stream([1], params)
        answer = await anext(stream)
        draining = asyncio.create_task(lifecycle.drain())
        async for piece in stream:
            assert not draining.done()
            answer = answer.then(piece)
        with pytest.raises(RuntimeError, match="new thread"):
            await draining
    assert answer.completion_tokens == 20


class Calls:
    """Calls of a model elsewhere, each for as long as it is let."""

    def __init__(self, grace: float) -> None:
        self.lifecycle = Lifecycle(None, drain_timeout=grace)
        self.let = asyncio.Event()

    async def one(self) -> str:
        with self.lifecycle.calling():
            await self.let.wait()
            return "answered"

    async def begun(self, many: int) -> "list[asyncio.Task[str]]":
        tasks = [asyncio.create_task(self.one()) for _ in range(many)]
        await asyncio.sleep(0)
        return tasks


async def test_calls_get_their_time_to_end() -> None:
    """The server waits for the last of them, also for those that begin meanwhile."""
    calls = Calls(grace=600)
    tasks = await calls.begun(2)
    draining = asyncio.create_task(calls.lifecycle.drain())
    await asyncio.sleep(0)
    tasks += await calls.begun(1)
    tasks[0].cancel()
    await asyncio.sleep(0)
    assert not draining.done()
    calls.let.set()
    await draining
    assert [await task for task in tasks[1:]] == ["answered", "answered"]
    assert tasks[0].cancelled()


async def test_calls_that_outlast_it_end_with_an_error_and_none_begins() -> None:
    """Whoever called is told that it is the server who leaves."""
    calls = Calls(grace=0)
    tasks = await calls.begun(2)
    await calls.lifecycle.drain()
    for task in tasks:
        with pytest.raises(ServiceUnavailable, match="shutting down"):
            await task
        assert task.cancelling() == 0
    with pytest.raises(ServiceUnavailable, match="shutting down"):
        await calls.one()


async def test_a_server_that_calls_nobody_is_drained_at_once() -> None:
    lifecycle = Lifecycle(None, drain_timeout=600)
    with lifecycle.calling():
        pass
    await lifecycle.drain()
