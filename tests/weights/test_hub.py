"""A Hugging Face id is pulled by the hub's own client: data only, resumed, offline ever after."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import constants

from stormproof.errors import (
    ConfigurationError,
    ModelLoadError,
    ModelNotFound,
    NetworkError,
    ServiceUnavailable,
    StormproofError,
    Unauthorized,
)
from stormproof.weights import ModelLibrary, PullProgress, Stage

REVISION = "1234567890abcdef" * 2 + "12345678"
WANTED = {
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "model.safetensors": bytes(range(256)) * 400,
}
UNWANTED = {
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "pytorch_model.bin": b"pickle",
    "weights.pt": b"pickle",
    "modeling.py": b"import os",
    "README.md": b"# Model",
    "onnx/config.json": b"{}",
    "original/model.safetensors": b"the same again",
}


class Request(BaseHTTPRequestHandler):
    """As much of the hub's interface as a download needs."""

    protocol_version = "HTTP/1.1"
    server: "Hub"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        hub.paths.append(path)
        if hub.refusal:
            self.reply(hub.refusal[0], b"{}", hub.refusal[1])
        elif "/resolve/" in path:
            self.reply_file(path.rpartition(f"/resolve/{REVISION}/")[2])
        elif "/tree/" in path:
            self.reply_json([entry(name, content) for name, content in hub.files.items()])
        elif path.startswith("/api/models/owner/name"):
            self.reply_json({"id": "owner/name", "sha": REVISION, "siblings": []})
        else:
            self.reply(404, b"{}", {"x-error-code": "RepoNotFound"})

    def reply_file(self, name: str) -> None:
        content = self.server.files[name]
        etag = hashlib.sha256(content).hexdigest()
        self.reply(200, content, {"etag": f'"{etag}"', "x-repo-commit": REVISION})

    def reply_json(self, document: Any) -> None:
        self.reply(200, json.dumps(document).encode(), {"content-type": "application/json"})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def entry(name: str, content: bytes) -> dict[str, Any]:
    """Describe a file as the hub lists it."""
    oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}


class Hub(ThreadingHTTPServer):
    """A hub with one repository, ``owner/name``.

    Attributes:
        files: What is in the repository.
        refusal: Status and headers that every request gets; None for honest answers.
        paths: What was asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files = {**WANTED, **UNWANTED}
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.paths: list[str] = []


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with Hub() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models")


def test_a_repository_becomes_a_folder_of_data(
    hub: Hub, library: ModelLibrary, tmp_path: Path
) -> None:
    """Configuration, tokenizer and safetensors are taken; pickles, code and copies are not."""
    folder = library.pull("owner/name")
    assert folder == tmp_path / "models" / "owner--name"
    names = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    names.pop("stormproof-model.json")
    assert names == WANTED
    asked = {path.rpartition(f"{REVISION}/")[2] for path in hub.paths if "/resolve/" in path}
    assert asked == WANTED.keys()


def test_it_is_offline_ever_after(hub: Hub, library: ModelLibrary) -> None:
    folder = library.pull("owner/name")
    hub.paths.clear()
    assert library.pull("owner/name") == library.resolve("owner/name") == folder
    assert hub.paths == []
    (model,) = library.installed()
    assert (model.name, model.source) == ("owner/name", f"huggingface owner/name {REVISION[:12]}")
    assert model.size >= sum(map(len, WANTED.values()))


def test_progress_counts_the_bytes(hub: Hub, library: ModelLibrary) -> None:
    heard: list[PullProgress] = []
    library.pull("owner/name", progress=heard.append)
    assert {progress.stage for progress in heard} == {Stage.DOWNLOADING}
    assert max(progress.done for progress in heard) == sum(map(len, WANTED.values()))


def test_a_repository_without_safetensors_is_no_model(hub: Hub, library: ModelLibrary) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(ModelLoadError, match=r"no tokenizer\.json, no \.safetensors"):
        library.pull("owner/name")
    assert library.installed() == ()


def test_a_half_full_folder_is_not_passed_off_as_the_model(
    hub: Hub, library: ModelLibrary, tmp_path: Path
) -> None:
    """If the hub fails after an interrupted pull, the pull fails too."""
    folder = tmp_path / "models" / "owner--name"
    for name, content in WANTED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content[:1])
    hub.refusal = (503, {})
    with pytest.raises(ServiceUnavailable):
        library.pull("owner/name")
    assert library.installed() == ()


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (404, {"x-error-code": "RepoNotFound"}, ModelNotFound),
        (401, {"x-error-code": "RepoNotFound"}, ModelNotFound),
        (403, {"x-error-code": "GatedRepo"}, Unauthorized),
        (403, {}, Unauthorized),
        (500, {}, ServiceUnavailable),
        (418, {}, ConfigurationError),
    ],
)
def test_a_refusal_is_a_typed_error(
    hub: Hub,
    library: ModelLibrary,
    status: int,
    headers: dict[str, str],
    error: type[StormproofError],
) -> None:
    hub.refusal = (status, headers)
    with pytest.raises(error):
        library.pull("owner/name")


def test_a_hub_that_cannot_be_reached(hub: Hub, library: ModelLibrary) -> None:
    hub.shutdown()
    hub.server_close()
    with pytest.raises(NetworkError, match="hub cannot be reached"):
        library.pull("owner/name")


def test_a_client_that_is_told_to_be_offline(
    hub: Hub, library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``HF_HUB_OFFLINE`` is honoured."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NetworkError):
        library.pull("owner/name")
    assert hub.paths == []
