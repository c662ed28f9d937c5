"""A server that is told of models in a file: with an engine of its own or without."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.processes import workers
from support.serving import running

HELLO = [{"role": "user", "content": "Hi"}]
KEY = "sk-" + "k" * 40


class Provider(ThreadingHTTPServer):
    """Answers when it is let, and keeps what it was sent."""

    def __init__(self) -> None:
        self.let, self.asked = threading.Event(), threading.Event()
        self.keys: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Answer(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.keys.append(self.headers["authorization"])
        self.server.asked.set()
        self.server.let.wait()
        message = {"role": "assistant", "content": "Hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.let.set()
        server.shutdown()


def models_file(folder: Path, url: str, *rungs: str) -> str:
    """Write a file with one model."""
    listed = ", ".join(['{ provider = "house", model = "m", deadline = 60 }', *rungs])
    file = folder / "stormproof.toml"
    file.write_text(
        f"""
        [providers.house]
        preset = "openai-compatible"
        url = "{url}"
        key_env = "HOUSE_KEY"
        [models.chat]
        rungs = [{listed}]
        """
    )
    return str(file)


def test_without_an_engine_it_is_one_process(tmp_path: Path, provider: Provider) -> None:
    """It answers by others, and no key is to be seen."""
    provider.let.set()
    file = models_file(tmp_path, provider.url)
    with running("--config", file, HOUSE_KEY=KEY) as server, server.client() as client:
        body = {"model": "chat", "messages": HELLO}
        answer = client.post("/v1/chat/completions", json=body).json()
        assert answer["choices"][0]["message"]["content"] == "Hello"
        assert [card["id"] for card in client.get("/v1/models").json()["data"]] == ["chat"]
        assert client.get("/ready").status_code == 200
        assert KEY not in client.get("/metrics").text + json.dumps(answer)
        assert workers(server.process.pid) == []
    assert provider.keys == [f"Bearer {KEY}"]


def test_an_engine_among_the_rungs_is_started(tmp_path: Path, model_path: Path) -> None:
    """And answers when nobody else does."""
    file = models_file(tmp_path, "http://127.0.0.1:9/v1", "{ engine = true }")
    flags = ("--config", file, "--model", str(model_path), "--num-blocks", "64")
    with running(*flags, HOUSE_KEY=KEY) as server, server.client() as client:
        body = {"model": "chat", "messages": HELLO, "max_tokens": 4}
        answer = client.post("/v1/chat/completions", json=body).json()
    assert answer["stormproof"] == {"rung": "engine", "attempts": 2, "degraded": False}


def test_an_embedding_model_among_the_hosts_is_loaded(
    tmp_path: Path, embedding_model_path: Path
) -> None:
    """And embeds when nobody else does; where it lies is in no answer, and no engine is started."""
    file = tmp_path / "stormproof.toml"
    name = embedding_model_path.name
    file.write_text(
        f"""
        [providers.house]
        preset = "openai-compatible"
        url = "http://127.0.0.1:9/v1"
        [embeddings.text]
        rungs = [
          {{ provider = "house", model = "{name}" }},
          {{ embedder = "{embedding_model_path}" }},
        ]
        """
    )
    flags = ("--config", str(file), "--embedding-model", str(embedding_model_path))
    with running(*flags) as server, server.client() as client:
        answer = client.post("/v1/embeddings", json={"model": "text", "input": "rain"})
        assert answer.headers["x-stormproof-rung"] == name
        alone = client.post("/v1/embeddings", json={"model": name, "input": "rain"})
        assert alone.json()["data"] == answer.json()["data"]
        assert [card["id"] for card in client.get("/v1/models").json()["data"]] == ["text", name]
        assert workers(server.process.pid) == []


def test_a_missing_key_is_told_before_anything_starts(tmp_path: Path) -> None:
    file = models_file(tmp_path, "http://127.0.0.1:9/v1", "{ engine = true }")
    with pytest.raises(AssertionError, match="HOUSE_KEY"), running("--config", file):
        pass


def test_calls_under_way_end_before_the_server_does(tmp_path: Path, provider: Provider) -> None:
    file = models_file(tmp_path, provider.url)
    answers: list[dict[str, Any]] = []
    with running("--config", file, HOUSE_KEY=KEY) as server, server.client() as client:

        def ask() -> None:
            body = {"model": "chat", "messages": HELLO}
            answers.append(client.post("/v1/chat/completions", json=body).json())

        asking = threading.Thread(target=ask)
        asking.start()
        provider.asked.wait()
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(timeout=1)
        provider.let.set()
        asking.join()
        assert server.process.wait(timeout=60) == 0
    assert answers[0]["choices"][0]["message"]["content"] == "Hello"
