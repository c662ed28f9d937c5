"""The engine's process: ``python -m stormproof.engine.supervised.worker``.

It steps the engine while there is work, and sleeps while there is none. It keeps nothing that
anybody would miss: whoever started it may kill it at any moment, and it dies with them.
"""

import ctypes
import faulthandler
import importlib
import math
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from stormproof.engine.answers.output import Output
from stormproof.engine.core import EngineCore
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.supervised.messages import (
    Abort,
    Add,
    Introduction,
    Loading,
    Piece,
    Ready,
    Refused,
    Start,
    Stepped,
    is_urgent,
    packed,
)
from stormproof.engine.supervised.step_record import Reading, StepRecord
from stormproof.engine.supervised.wire import Decoder, encode
from stormproof.errors import StormproofError, translate

_RECEIVED: Final = 1 << 18
_PR_SET_PDEATHSIG: Final = 1
_OBEYING: Final = 0.2
"""Seconds after which commands have to wait for a step: compiling a grammar may take one."""
_REPORTING: Final = 0.025
"""Seconds after a report in which only what is urgent makes another.

A report costs the server half a millisecond of a processor that this process could use, and what it
sends to each client another 50 µs; text that grows forty times a second flows for any reader.
"""


class Link:
    """The worker's end of the socket."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._decoder = Decoder()
        self._arrived: deque[Any] = deque()

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            EOFError: The server is gone.
        """
        while not self._arrived:
            self._fetch()
        return self._arrived.popleft()

    def waiting(self) -> list[Any]:
        """Return the messages that have arrived.

        Raises:
            EOFError: The server is gone.
        """
        with suppress(BlockingIOError):
            while True:
                self._fetch(socket.MSG_DONTWAIT)
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived

    def send(self, message: object) -> None:
        """Send a message; waits while the server is busy.

        Raises:
            OSError: The server is gone.
        """
        self._server.sendall(encode(message))

    def _fetch(self, flags: int = 0) -> None:
        received = self._server.recv(_RECEIVED, flags)
        if not received:
            raise EOFError
        self._arrived.extend(self._decoder.feed(received))


class Worker:
    """Does what the server asks of an engine.

    Args:
        core: The engine.
        link: To the server.
        record: Where it writes down what it is doing.
        clock: Seconds, for measuring how long commands keep steps waiting, and reports pieces.
    """

    def __init__(
        self,
        core: EngineCore,
        link: Link,
        record: StepRecord,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._core = core
        self._link = link
        self._record = record
        self._clock = clock
        self._commands: deque[Add | Abort] = deque()
        self._numbers: dict[int, int] = {}
        self._seq_ids: dict[int, int] = {}
        self._unreported: list[Piece] = []
        self._reported_at = -math.inf
        core.observe(self._write_down)

    def run(self) -> None:
        """Answer requests until the server is gone.

        Raises:
            EOFError: It is.
            OSError: It is.
        """
        while True:
            self._commands.extend(self._arrived())
            if self._commands and self._unreported:
                self._report()  # obeying may take long
            self._unreported += self._obey_some()
            self._unreported += [self._piece(*pair) for pair in self._core.step()]
            self._record.clear()
            if self._is_due():
                self._report()

    def _is_due(self) -> bool:
        """Say whether to tell what is new at once, and not with what comes next."""
        rested = self._clock() >= self._reported_at + _REPORTING
        return rested or not self._core.has_work or any(map(is_urgent, self._unreported))

    def _report(self) -> None:
        """Tell the server what is new."""
        self._link.send(Stepped(self._unreported, self._core.stats()))
        self._unreported = []
        self._reported_at = self._clock()

    def _arrived(self) -> list[Any]:
        if self._core.has_work or self._commands:
            return self._link.waiting()
        return [self._link.receive(), *self._link.waiting()]

    def _obey_some(self) -> Iterator[Piece]:
        """Obey at least one command, but keep nobody's next token waiting for all of them."""
        until = self._clock() + _OBEYING
        while self._commands:
            if refusal := self._obey(self._commands.popleft()):
                yield refusal
            if self._clock() >= until:
                break

    def _obey(self, command: Add | Abort) -> Piece | None:
        """Do what was asked; returns the end of a request that is refused."""
        if isinstance(command, Add):
            return self._add(command)
        seq_id = self._seq_ids.pop(command.number, None)
        if seq_id is not None:
            del self._numbers[seq_id]
            self._core.abort(seq_id)
        return None

    def _add(self, request: Add) -> Piece | None:
        self._record.write([Reading(request.number, -1, 0)])  # it may kill before it is read
        try:
            seq_id = self._core.add(
                request.prompt,
                request.params,
                urgency=request.urgency,
                generated=request.generated,
                admitted=request.admitted,
                alone_until=request.alone_until,
                alone_from=request.alone_from,
            )
        except Exception as error:  # noqa: BLE001 - one request must not take others with it
            return packed(request.number, _refusal(request, translate(error)))
        finally:
            self._record.clear()
        self._numbers[seq_id] = request.number
        self._seq_ids[request.number] = seq_id
        return None

    def _piece(self, seq_id: int, output: Output) -> Piece:
        if output.finish_reason is None:
            return packed(self._numbers[seq_id], output)
        number = self._numbers.pop(seq_id)
        del self._seq_ids[number]
        return packed(number, output)

    def _write_down(self, chunks: Sequence[Chunk]) -> None:
        self._record.write(
            Reading(
                self._numbers[chunk.sequence.seq_id],
                chunk.sequence.computed,
                chunk.sequence.computed + chunk.rows,
            )
            for chunk in chunks
        )


def _refusal(request: Add, error: StormproofError) -> Output:
    return Output(
        finish_reason=FinishReason.ERROR,
        prompt_tokens=len(request.prompt),
        completion_tokens=len(request.generated),
        error=error,
    )


def main() -> None:
    """Run a worker on the descriptors that the command line names."""
    server, record, stacks, parent = map(int, sys.argv[1:])
    _die_with(parent)
    for meant_for_the_server in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_the_server, signal.SIG_IGN)
    faulthandler.enable(stacks)
    faulthandler.register(signal.SIGUSR1, stacks)  # whatever it is stuck in
    link = Link(socket.socket(fileno=server))
    try:
        core = _start(link, link.receive())
        link.send(Ready(core.stats()))
        Worker(core, link, StepRecord(record)).run()
    except (EOFError, OSError):
        return  # the server is gone, and with it everybody who waited


def _start(link: Link, start: Start) -> EngineCore:
    try:
        core = _factory(start.factory)(
            start.config, progress=lambda done: link.send(Loading(done)), memory=start.memory
        )
    except Exception as error:
        link.send(Refused(translate(error)))
        raise EOFError from error
    if start.introduce:
        link.send(Introduction(core.model, core.tokenizer, core.limits))
    return core


def _factory(name: str) -> Callable[..., EngineCore]:
    module, _, function = name.partition(":")
    factory: Callable[..., EngineCore] = getattr(importlib.import_module(module), function)
    return factory


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the server is gone")


if __name__ == "__main__":
    main()
