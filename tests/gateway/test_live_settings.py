"""A running server follows its file, however that is changed, and no request is hurt by it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.serving import running

BROKEN_KEY = "broken"


class House(ThreadingHTTPServer):
    """A provider that knows keys: one of them is refused, and to one it answers when it is let."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.let, self.asked = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Answer(BaseHTTPRequestHandler):
    server: House

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["authorization"].removeprefix("Bearer ")
        self.server.keys.append(key)
        if key == "slow":
            self.server.asked.set()
            self.server.let.wait()
        message = {"role": "assistant", "content": f"to {key}"}
        body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(500 if key == BROKEN_KEY else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def house() -> Iterator[House]:
    with House() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.let.set()
        server.shutdown()


def text(answer: str) -> str:
    return f'[models.chat]\nrungs = [{{ answer = "{answer}" }}]\n'


def ask(client: httpx2.Client, model: str = "chat") -> Any:
    messages = [{"role": "user", "content": "Hi"}]
    return client.post("/v1/chat/completions", json={"model": model, "messages": messages})


def said(client: httpx2.Client) -> str:
    return str(ask(client).json()["choices"][0]["message"]["content"])


def state(client: httpx2.Client) -> str:
    return str(client.get("/health").json()["settings"])


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def replaced(file: Path, content: str) -> None:
    """Save as editors do."""
    new = file.with_suffix(".new")
    new.write_text(content)
    new.replace(file)


def swapped(file: Path, content: str) -> None:
    """Swap the folder behind the file, as Kubernetes does with a ConfigMap's."""
    folder = file.parent / f"version-{hash(content)}"
    folder.mkdir()
    (folder / file.name).write_text(content)
    link = file.parent / "..new"
    link.symlink_to(folder, target_is_directory=True)
    link.replace(file.parent / "..data")


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A file as Kubernetes shows it: through two links."""
    file = tmp_path / "mounted" / "stormproof.toml"
    file.parent.mkdir()
    swapped(file, text("one"))
    file.symlink_to(Path("..data") / file.name)
    return file


def test_a_server_follows_its_file(tmp_path: Path) -> None:
    """However it is written; a broken one changes nothing, and whoever looks is told."""
    file = tmp_path / "stormproof.toml"
    file.write_text(text("one"))
    with running("--config", str(file)) as server, server.client() as client:
        assert (said(client), state(client)) == ("one", "current")
        file.write_text(text("two"))
        until(lambda: said(client) == "two")
        replaced(file, "[models.chat]\nrugns = []\n")
        until(lambda: state(client) == "refused")
        assert said(client) == "two"
        assert client.get("/ready").status_code == 200
        assert server.metric("stormproof_settings_state") == 2
        replaced(file, text("three"))
        until(lambda: said(client) == "three")
        assert state(client) == "current"


def test_a_server_follows_its_file_through_links(linked: Path) -> None:
    with running("--config", str(linked)) as server, server.client() as client:
        assert said(client) == "one"
        swapped(linked, text("two"))
        until(lambda: said(client) == "two")


def test_a_signal_has_the_file_read_at_once(tmp_path: Path) -> None:
    """Even one whose content is the same: environment and keys may be others."""
    file = tmp_path / "stormproof.toml"
    file.write_text(text("one"))
    with running("--config", str(file)) as server, server.client() as client:
        server.process.send_signal(signal.SIGHUP)
        until(lambda: 'reloads_total{outcome="applied"} 1.0' in client.get("/metrics").text)
        assert said(client) == "one"
        assert server.terminate() == 0


def test_a_signal_that_comes_early_does_not_end_the_server(tmp_path: Path) -> None:
    """Whoever sends it knows of a change, and not that an engine is being loaded."""
    file, keys = tmp_path / "stormproof.toml", tmp_path / "keys"
    file.write_text(f'[serve]\napi_key_file = "{keys}"\n{text("one")}')
    os.mkfifo(keys)
    flags = ["serve", "--port", "0", "--config", str(file)]
    command = [sys.executable, "-m", "stormproof.cli", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with keys.open("w") as awaited:  # it is: the server has begun
            process.send_signal(signal.SIGHUP)
            awaited.write("k\n")
        assert process.stderr
        assert any("Listening" in line for line in process.stderr)
        process.kill()


def provider(house: House, key: Path, *, weight: int = 1) -> str:
    rung = f'{{ provider = "house", model = "m", deadline = 60, weight = {weight} }}'
    head = f'[providers.house]\npreset = "openai-compatible"\nurl = "{house.url}"\n'
    return f'{head}key_file = "{key}"\n[models.chat]\nrungs = [{rung}]\n'


def test_a_request_under_way_ends_as_it_began(tmp_path: Path, house: House) -> None:
    """With the key that was good then, while others have the new one already."""
    file, key = tmp_path / "stormproof.toml", tmp_path / "key"
    key.write_text("slow")
    file.write_text(provider(house, key))
    answers: list[str] = []
    with running("--config", str(file)) as server, server.client() as client:
        asking = threading.Thread(target=lambda: answers.append(said(client)))
        asking.start()
        house.asked.wait()
        key.write_text("new")
        until(lambda: 'outcome="applied"' in client.get("/metrics").text)
        assert said(client) == "to new"
        house.let.set()
        asking.join()
    assert answers == ["to slow"]


def test_an_open_circuit_is_not_forgotten(tmp_path: Path, house: House) -> None:
    """Until what it is about changes: the key may have been the trouble."""
    file, key = tmp_path / "stormproof.toml", tmp_path / "key"
    key.write_text(BROKEN_KEY)
    file.write_text(provider(house, key))
    with running("--config", str(file)) as server, server.client() as client:
        for _ in range(3):
            assert ask(client).status_code == 502
        file.write_text(provider(house, key, weight=2) + text("B").replace("chat", "other"))
        server.process.send_signal(signal.SIGHUP)
        until(lambda: ask(client, "other").status_code == 200)
        assert ask(client).json()["error"]["code"] == "CIRCUIT_OPEN"
        key.write_text("good")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: ask(client).status_code == 200)
    assert house.keys == [BROKEN_KEY] * 3 + ["good"]
