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
