"""A gateway: a server between those who ask and those who answer."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine_peers.process import EngineProcess
from gateway_peers.client import Document, connect, request

PATH: Final = "/v1/chat/completions"
CALL_SECONDS: Final = 3
"""How long every gateway lets a call last."""

RETRIES: Final = 2
"""How often it tries again, if it does."""

_POLL: Final = 0.1
_STARTING: Final = 120
"""Seconds that it gets to start."""

MARK: Final = "another"
"""A word of every request, in whose place each has one of its own: none is asked twice."""

_PROMPT: Final = f"Explain to {MARK} in one paragraph why storms do not stop the mail. " * 7


@dataclass(frozen=True, slots=True)
class Model:
    """What clients may ask for.

    Attributes:
        name: What they call it.
        urls: The bases of the APIs that answer for it, the first choice first.
    """

    name: str
    urls: tuple[str, ...]


class Gateway:
    """One row of the table.

    Args:
        name: Who it is.
        command: Makes the command line for a port and the models to offer.
        headers: What a request for a model is sent with.
        environment: Variables for it.
        recovers: Whether it does anything about failures.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[int, Sequence[Model]], Sequence[str]],
        *,
        headers: Callable[[Model], Mapping[str, str]] = lambda _: {},
        environment: Mapping[str, str] = MappingProxyType({}),
        recovers: bool = True,
    ) -> None:
        self.name: Final = name
        self.recovers: Final = recovers
        self._command = command
        self._headers = headers
        self._environment = environment

    def start(self, models: Sequence[Model], cores: Sequence[int]) -> None:
        """Start it, and wait until it answers for the first of the models.

        Args:
            models: What it offers.
            cores: Where it runs; anywhere, if there are none.

        Raises:
            RuntimeError: It does not start.
        """
        self._port = _free_port()
        with _on(cores):
            command = self._command(self._port, models)
            self._process = EngineProcess(self.name, command, self._environment)
        first, ends = self.request(models[0], stream=False), time.monotonic() + _STARTING
        while not asyncio.run(_answers(self._port, first)):
            self._process.check()
            if time.monotonic() > ends:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer {_STARTING} s after its start")
            time.sleep(_POLL)

    def port(self, model: Model) -> int:
        """Return where a model is asked for: everywhere the same."""
        del model
        return self._port

    def request(self, model: Model, *, stream: bool) -> bytes:
        """Return the request for an answer of a model, as it is sent."""
        return request(body(model, stream=stream), self._headers(model), PATH)

    def pause(self) -> None:
        """Hold it still."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    def memory(self) -> int:
        """Return the bytes it holds."""
        return self._process.memory()

    def processor_seconds(self) -> float:
        """Return how long processors have worked for it."""
        return self._process.processor_seconds()

    def stop(self) -> None:
        """End it."""
        self._process.stop()


def body(model: Model, *, stream: bool) -> Document:
    """Return what a client asks: about 600 bytes."""
    system = {"role": "system", "content": "You are terse."}
    messages = [system, {"role": "user", "content": _PROMPT}]
    return {"model": model.name, "stream": stream, "messages": messages}


async def _answers(port: int, wire: bytes) -> bool:
    try:
        connection = await connect(port)
        exchange = await connection.ask(wire, CALL_SECONDS)
    except OSError:
        return False
    connection.close()
    return exchange.is_whole


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """Start processes on these cores, which they inherit."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
