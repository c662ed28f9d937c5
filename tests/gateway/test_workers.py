"""Several processes serve one address as if they were one, and are replaced when they die."""

import asyncio
import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from stormproof.gateway import Workers
from stormproof.testing.provider import Answer, Refusal, ScriptedProvider, ScriptedTarget
from support.processes import lives, servers
from support.redis_server import PROGRAM, RedisServer
from support.serving import Server, running

MODELS = """
[redis]
url = "{redis}"
prefix = "{prefix}"
[providers.first]
preset = "openai-compatible"
url = "{first}"
[providers.second]
preset = "openai-compatible"
url = "{second}"
[models.chat]
rungs = [
  {{ provider = "first", model = "m"{limits} }},
  {{ provider = "second", model = "m" }},
]
"""


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


@contextmanager
def two_workers(folder: Path, text: str, *flags: str) -> Iterator[Server]:
    file = folder / "stormproof.toml"
    file.write_text(text)
    with running("--config", str(file), "--workers", "2", *flags) as server:
        yield server


def fixed(answer: str = "Hello") -> str:
    return f'[models.chat]\nrungs = [{{ answer = "{answer}" }}]\n'


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def both_answer(server: Server) -> list[int]:
    """Wait until both workers do, and return their processes."""
    pids: list[int] = []

    def ready() -> bool:
        pids[:] = servers(server.process.pid)
        return len(pids) == 2 and len(by_worker(server, "stormproof_http_requests_in_flight")) == 2

    until(ready)
    return pids


def by_worker(server: Server, series: str) -> dict[str, float]:
    """The value of a series in each worker, summed over its other labels."""
    text = httpx2.get(f"{server.url}/metrics", timeout=60).text
    found: dict[str, float] = {}
    for labels, value in re.findall(rf"^{series}{{(.*)}} (\S+)$", text, re.MULTILINE):
        [worker] = re.findall(r'worker="(\d+)"', labels)
        found[worker] = found.get(worker, 0.0) + float(value)
    return found


def body(**more: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": "Hi"}], **more}


def ask(server: Server, times: int) -> list[httpx2.Response]:
    """Ask so often, each time over a connection of its own."""
    answers = []
    for _ in range(times):
        with server.client() as client:
            answers.append(client.post("/v1/chat/completions", json=body()))
    return answers


def test_both_answer_and_whoever_is_asked_tells_what_both_have_counted(tmp_path: Path) -> None:
    with two_workers(tmp_path, fixed()) as server:
        both_answer(server)
        asked = 0
        while len(counts := by_worker(server, 'stormproof_http_requests_total{method="POST"')) < 2:
            assert [answer.status_code for answer in ask(server, 8)] == [200] * 8
            asked += 8
            assert sum(by_worker(server, "stormproof_http_requests_total").values()) >= asked
            counts = by_worker(server, "stormproof_http_request_duration_seconds_count")
            if min(counts.values()) > 2 and len(counts) == 2:
                break
        assert server.terminate() == 0
