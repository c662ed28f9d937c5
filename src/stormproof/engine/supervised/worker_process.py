"""The server's hold on one process of the engine."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any, BinaryIO, Final

from stormproof.engine.native.shared_memory import shared_memory
from stormproof.engine.supervised.bell import Bell
from stormproof.engine.supervised.deaths import Cause, Death, exited, facts_of
from stormproof.engine.supervised.messages import Start
from stormproof.engine.supervised.step_record import Reading, StepRecord
from stormproof.engine.supervised.wire import Decoder, encode
from stormproof.errors import ProtocolError
from stormproof.recovery import Clock

DUMP_STACKS: Final = signal.SIGUSR1
"""Has a worker write the stack of each of its threads, whatever it is stuck in."""

_RECEIVED: Final = 1 << 18
_MOST_STACKS: Final = 1 << 14
_LAST_BREATH: Final = 1.0
_DYING: Final = 5.0
_MUTE: Final = "it says nothing more"
_LOOKS: Final = 20
_BETWEEN_LOOKS: Final = 0.01


class WorkerGone(Exception):
    """The process has closed its end, or what it writes makes no sense."""


class WorkerProcess:
    """A process that runs `stormproof.engine.supervised.worker`; used by one thread.

    Args:
        start: What it is to load.

    Raises:
        OSError: The system has no room for another process.
    """

    def __init__(self, start: Start) -> None:
        with ExitStack() as held:
            self._stacks = held.enter_context(_paper("stacks"))
            self._socket, theirs = map(held.enter_context, socket.socketpair())
            paper = held.enter_context(_paper("step"))
            most = start.config.max_sequences
            self._record = held.enter_context(closing(StepRecord.create(paper.fileno(), most)))
            descriptors = (theirs.fileno(), paper.fileno(), self._stacks.fileno())
            self._process = _spawn(
                descriptors, also=() if start.memory is None else (start.memory,)
            )
            theirs.close()
            paper.close()
            self._held = held.pop_all()
        self._socket.setblocking(False)
        self._decoder = Decoder()
        self._unsent = bytearray()
        self.send(encode(start))

    def fileno(self) -> int:
        """The descriptor on which it says something."""
        return self._socket.fileno()

    def send(self, frames: bytes) -> None:
        """Send messages; what the process does not take at once goes out while `receive` waits."""
        self._unsent += frames
        with suppress(OSError):  # that it is gone, `receive` will notice
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]

    def receive(
        self, bell: Bell, timeout: float | None, *, or_of: "WorkerProcess | None" = None
    ) -> Iterator[Any]:
        """Wait for messages, or until the bell rings or the time is over, and yield what came.

        Args:
            bell: Ends the wait.
            timeout: Seconds; None for no end.
            or_of: Another process, of which a message ends the wait, too.

        Raises:
            WorkerGone: Nothing will ever come again.
        """
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        if or_of:
            poll.register(or_of, select.POLLIN)
        ready = dict(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))
        if bell.fileno() in ready:
            bell.silence()
        events = ready.get(self._socket.fileno(), 0)
        if events & select.POLLOUT:
            self.send(b"")
        if events & ~select.POLLOUT:
            yield from self.said()

    def said(self) -> Iterator[Any]:
        """Yield messages that have come; never waits.

        Raises:
            WorkerGone: Nothing will ever come again.
        """
        try:
            received = self._socket.recv(_RECEIVED)
            yield from self._decoder.feed(received)
        except BlockingIOError:
            return
        except (OSError, ProtocolError) as error:
            raise WorkerGone from error
        if not received:
            raise WorkerGone

    def end(self, clock: Clock, *, hung: str | None = None) -> tuple[Death, Sequence[Reading]]:
        """Make sure that it is dead, and find out what it died of and what it was reading.

        Args:
            clock: Paces the wait for the stacks of one that hangs.
            hung: What made it look so, if it did.
        """
        facts = self._interrogate(clock) if hung else ""
        status = None if hung else self._status(_LAST_BREATH)
        self._stop()
        cause, detail = (Cause.HANG, hung or _MUTE) if status is None else exited(status)
        stacks = os.pread(self._stacks.fileno(), _MOST_STACKS, 0).decode("utf-8", "replace")
        readings = self._record.read()
        self._held.close()
        return Death(cause=cause, detail=detail, facts=facts, stacks=stacks), readings

    def kill(self) -> None:
        """End it at once: it keeps nothing that anybody would miss."""
        self._stop()
        self._held.close()

    def _stop(self) -> None:
        """Kill it, and wait for its end unless it sleeps in the kernel, where no signal comes."""
        self._process.kill()
        if self._status(_DYING) is None:
            reap = self._process.wait
            threading.Thread(target=reap, name="stormproof-reaper", daemon=True).start()

    def _status(self, patience: float) -> int | None:
        """Return the exit status; None if it lives on for so many seconds."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def _interrogate(self, clock: Clock) -> str:
        """Have a process that hangs write its stacks, unless it is stopped; returns the facts."""
        facts = facts_of(self._process.pid)
        self._process.send_signal(DUMP_STACKS)
        for _ in range(_LOOKS):
            if os.fstat(self._stacks.fileno()).st_size:
                break
            clock.sleep(_BETWEEN_LOOKS)
        return facts


def _paper(use: str) -> BinaryIO:
    """Return what two processes can write on: a file only where there is no memory for it."""
    descriptor = shared_memory(use)
    return tempfile.TemporaryFile() if descriptor is None else os.fdopen(descriptor, "w+b")


def _spawn(descriptors: tuple[int, ...], also: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a worker that dies with this process, and imports from the same places.

    Args:
        descriptors: What it is told of on its command line.
        also: What else is to be open in it.
    """
    arguments = [*map(str, descriptors), str(os.getpid())]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "stormproof.engine.supervised.worker", *arguments],
        stdin=subprocess.DEVNULL,
        pass_fds=(*descriptors, *also),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # Ctrl-C is for whoever started it, also before it can ignore it
    )
