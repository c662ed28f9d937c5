"""Several processes serve one address as if they were one, and are replaced when they die."""

import asyncio
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stormproof.gateway import Workers
from stormproof.testing.provider import Answer, Refusal, ScriptedProvider, text_of
from support.background_provider import background_provider
from support.processes import lives, servers
from support.redis_server import PROGRAM, RedisServer
from support.serving import Server, running

FIXED = '[models.chat]\nrungs = [{ answer = "Hello" }]\n'
SLOW = Answer(tokens=24, pace=0.1)
REQUESTS = "stormproof_http_requests_total"
REACHABLE = "stormproof_store_reachable"


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with background_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A server of this module's own, which it may kill."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server on the PATH")
    server = RedisServer()
    server.start()
    yield server
    server.close()


def model(name: str, url: str, limit: str = "") -> str:
    """Write a provider and a model of that name, which another provider stands in for."""
    rungs = f'{{ provider = "{name}", model = "m" }}, {{ provider = "healthy", model = "m" }}'
    head = f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{url}"\n{limit}\n'
    return f"{head}[models.{name}]\nrungs = [{rungs}]\n"


LIMIT = "requests_per_minute = 3"
NAMES = {"steady": "", "down": "", "limited": LIMIT, "again": LIMIT, "slow": ""}


@pytest.fixture(scope="module")
def server(
    provider: ScriptedProvider, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Two workers that share, with a model for each test that changes how things stand."""
    healthy = provider.target("healthy", Answer()).url
    text = f'[redis]\nurl = "{redis.url}"\n[providers.healthy]\npreset = "openai-compatible"\n'
    text += f'url = "{healthy}"\n'
    for name, limit in NAMES.items():
        text += model(name, provider.target(name, Answer()).url, limit)
    with serving(tmp_path_factory.mktemp("workers"), text) as it:
        yield it


@contextmanager
def serving(folder: Path, text: str) -> Iterator[Server]:
    """Run two workers until the block ends."""
    file = folder / "stormproof.toml"
    file.write_text(text)
    with running("--config", str(file), "--workers", "2") as server:
        until(lambda: len(by_worker(server, "stormproof_settings_state")) == 2)
        yield server


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def by_worker(server: Server, series: str) -> dict[str, float]:
    """The value of a series in each worker, summed over its other labels."""
    text = httpx2.get(f"{server.url}/metrics", timeout=60).text
    found: dict[str, float] = {}
    for labels, value in re.findall(rf"^{series}{{(.*)}} (\S+)$", text, re.MULTILINE):
        [worker] = re.findall(r'worker="(\d+)"', labels)
        found[worker] = found.get(worker, 0.0) + float(value)
    return found


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], **more}


def ask(server: Server, model: str, times: int) -> list[str]:
    """Ask so often, each time over another connection; return who answered."""
    answers = []
    for _ in range(times):
        with server.client() as client:
            answer = client.post("/v1/chat/completions", json=body(model))
        assert answer.status_code == 200, answer.text
        answers.append(answer.headers["x-stormproof-rung"])
    return answers


def test_both_answer_and_whoever_is_asked_tells_what_both_have_counted(server: Server) -> None:
    before = by_worker(server, REQUESTS)
    ask(server, "steady", 32)
    after = by_worker(server, REQUESTS)
    more = [after[worker] - before.get(worker, 0.0) for worker in ("0", "1")]
    assert sum(more) >= 32
    assert min(more) > 0


def test_a_dead_provider_costs_both_together_what_it_costs_one(
    server: Server, provider: ScriptedProvider
) -> None:
    dead = provider.target("down", Refusal(500))
    assert ask(server, "down", 8) == ["healthy/m"] * 8
    assert dead.calls <= 3


def test_a_limit_holds_for_both_together(server: Server, provider: ScriptedProvider) -> None:
    limited = provider.target("limited", Answer())
    heard = ask(server, "limited", 8)
    assert (limited.calls, heard.count("healthy/m")) == (3, 5)


def test_without_redis_they_answer_and_when_it_is_back_they_share(
    server: Server, provider: ScriptedProvider, redis: RedisServer
) -> None:
    heard: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            heard.extend(ask(server, "steady", 1))

    loading = threading.Thread(target=load)
    loading.start()
    redis.signal(signal.SIGKILL)
    until(lambda: list(by_worker(server, REACHABLE).values()) == [0, 0])
    redis.start()
    until(lambda: list(by_worker(server, REACHABLE).values()) == [1, 1])
    done.set()
    loading.join()
    assert set(heard) == {"steady/m"}
    limited = provider.target("again", Answer())
    ask(server, "again", 8)
    assert limited.calls == 3


def test_one_that_is_killed_loses_its_own_streams_and_is_replaced(
    server: Server, provider: ScriptedProvider
) -> None:
    provider.target("slow", SLOW)
    before = by_worker(server, REQUESTS)
    pids = servers(server.process.pid)
    begun, results = threading.Semaphore(0), list[str]()

    def listen() -> None:
        results.append(said(server, begun))

    listening = [threading.Thread(target=listen) for _ in range(12)]
    for thread in listening:
        thread.start()
    for _ in listening:
        begun.acquire()
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: not lives(pids[0]))
    assert ask(server, "steady", 8) == ["steady/m"] * 8
    for thread in listening:
        thread.join()
    whole, broken = results.count(text_of(SLOW.tokens)), results.count("")
    assert whole + broken == 12
    assert min(whole, broken) > 0
    until(lambda: len(by_worker(server, REQUESTS)) == 2)
    assert servers(server.process.pid)[1] == pids[1]
    assert by_worker(server, REQUESTS)["1"] - before["1"] >= whole


def said(server: Server, begun: threading.Semaphore) -> str:
    """What a stream says from its beginning to its end; nothing if it breaks off."""
    found: list[str] = []
    request = {"json": body("slow", stream=True)}
    try:
        with (
            server.client() as client,
            client.stream("POST", "/v1/chat/completions", **request) as answer,  # type: ignore[arg-type]
        ):
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    if not found:
                        begun.release()
                    [text] = re.findall(r'"content":"([^"]*)"', line) or [""]
                    found.append(text)
    except httpx2.TransportError:
        return ""
    return "".join(found)


def test_both_read_the_settings_when_they_are_told_to(server: Server) -> None:
    reloads = "stormproof_settings_reloads_total"
    before = by_worker(server, reloads)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: all(by_worker(server, reloads).get(n, 0) > before.get(n, 0) for n in "01"))


def test_they_drain_together_and_none_is_left(tmp_path: Path, provider: ScriptedProvider) -> None:
    healthy = provider.target("healthy", Answer()).url
    text = f'[providers.healthy]\npreset = "openai-compatible"\nurl = "{healthy}"\n'
    with serving(tmp_path, text + model("slow", provider.target("slow", SLOW).url)) as server:
        begun, results = threading.Semaphore(0), list[str]()
        pids = servers(server.process.pid)
        listening = threading.Thread(target=lambda: results.append(said(server, begun)))
        listening.start()
        begun.acquire()
        assert server.terminate() == 0
        listening.join()
    assert results == [text_of(SLOW.tokens)]
    assert not any(map(lives, pids.values()))


def test_they_end_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, FIXED) as server:
        pids = servers(server.process.pid)
        assert len(pids) == 2
        server.process.kill()
        until(lambda: not any(map(lives, pids.values())))


@pytest.mark.parametrize(
    "flags", [("--model", "smollm2"), ("--embedding-model", "minilm")], ids=["engine", "embedding"]
)
def test_what_computes_has_one_process(tmp_path: Path, flags: tuple[str, ...]) -> None:
    file = tmp_path / "stormproof.toml"
    file.write_text(FIXED)
    refused = pytest.raises(AssertionError, match="workers: must be 1")
    with refused, running("--config", str(file), "--workers", "2", *flags):
        pass


class Records(logging.Handler):
    """Keeps what is logged for whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = asyncio.Queue[logging.LogRecord]()

    def emit(self, record: logging.LogRecord) -> None:
        self.queue.put_nowait(record)


async def test_one_that_cannot_start_is_tried_again_after_longer_and_longer_breaks() -> None:
    records, logger = Records(), logging.getLogger("stormproof.gateway.workers")
    logger.addHandler(records)
    workers = Workers("support.dying_worker", (), count=1, drain_timeout=0, listening=lambda: None)
    running = asyncio.create_task(workers.run())
    told = [vars(await records.queue.get()) for _ in range(3)]
    workers.stop()
    await running
    logger.removeHandler(records)
    assert [record["end"] for record in told] == ["status 3"] * 3
    assert [record["pause"] for record in told] == [0.1, 0.2, 0.4]
