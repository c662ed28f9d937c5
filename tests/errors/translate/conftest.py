"""A tiny HTTP server that answers whatever it is told to, and a way to catch what is raised."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from stormproof.errors import StormproofError, translate


class CannedServer(ThreadingHTTPServer):
    """Answers every request with the same status, headers and body; None hangs up instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status: int | None = 200
        self.headers: Mapping[str, str] = {}
        self.body: bytes = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(
        self, status: int | None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """Set the answer; return the address that gives it."""
        self.status, self.headers = status, headers or {}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.url


class _Handler(BaseHTTPRequestHandler):
    server: CannedServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.close_connection = True
        if self.server.status is None:
            return
        self.send_response(self.server.status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(self.server.body)),
            "connection": "close",
            **self.server.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def server() -> Iterator[CannedServer]:
    with CannedServer() as canned:
        thread = Thread(target=canned.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield canned
        canned.shutdown()
        thread.join()


@pytest.fixture
def refused_port() -> Iterator[int]:
    """A port of the loopback that nobody listens on, nor can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


Caught = Callable[[Callable[[], object]], StormproofError]


@pytest.fixture
def caught() -> Caught:
    """Run something that raises, and return what its exception is translated to."""

    def run(action: Callable[[], object]) -> StormproofError:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any exception at all
            action()
        error = translate(raised.value)
        assert error.__cause__ is raised.value
        return error

    return run


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
