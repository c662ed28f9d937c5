"""Engines that are servers: asked over the loopback, with one connection a request."""

import http.client
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import uvloop

from engine_peers.process import EngineProcess
from engine_peers.stream_client import HttpRequest, Stream, fetch
from engine_peers.timing import Timing
from engine_peers.workload import Request, single

Event = dict[str, Any]

_POLL: Final = 0.02


class ServerEngine:
    """A server.

    Args:
        name: Who it is.
        command: Makes the command line for a port.
        environment: Variables for it.
        path: Where requests go.
        body: Makes the body that asks for a streamed answer.
        count: Finds the number of answered tokens in the events of an answer.
    """

    over_http = True
    process: EngineProcess

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        environment: Mapping[str, str],
        *,
        path: str,
        body: Callable[[Request], Event],
        count: Callable[[list[Event]], int],
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._path = path
        self._body = body
        self._count = count
        self._port = 0

    def start(self) -> float:
        """Start it, and ask until it answers."""
        self._port = _free_port()
        command = self._command(self._port)
        self.process = EngineProcess(self.name, command, self._environment)
        first = [Request(single()[0].prompt[:16], 1)]
        while True:
            try:
                self.answer(first)
                return time.perf_counter() - self.process.spawned
            except (OSError, http.client.HTTPException):
                self.process.check()
                time.sleep(_POLL)

    def answer(self, requests: Sequence[Request]) -> list[Timing]:
        """Send all requests at once, and read what comes."""
        wires = [HttpRequest(self._path, self._body(request)) for request in requests]
        streams = uvloop.run(fetch(self._port, wires))
        return [self._timing(*pair) for pair in zip(requests, streams, strict=True)]

    def _timing(self, request: Request, stream: Stream) -> Timing:
        tokens = self._count(stream.events())
        if tokens != request.new_tokens:
            raise RuntimeError(f"{self.name}: {tokens} tokens instead of {request.new_tokens}")
        return Timing(stream.first, stream.last, tokens)


def openai_body(request: Request) -> Event:
    """Return a body as OpenAI's completions route has it."""
    return {
        "model": "bench",
        "prompt": request.prompt,
        "max_tokens": request.new_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def openai_count(events: list[Event]) -> int:
    """Read the token count that OpenAI's streams end with."""
    return int(events[-1]["usage"]["completion_tokens"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
