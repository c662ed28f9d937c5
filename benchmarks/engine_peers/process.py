"""A process of an engine or a gateway: started, held still while others are measured, ended."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import psutil

BENCHMARKS: Final = Path(__file__).resolve().parents[1]
BUILD: Final = BENCHMARKS.parent / "build"
"""Where what is made for measuring lies: models in other formats, peers, logs."""

_GRACE: Final = 20.0
_PATIENCE: Final = 600.0
"""Seconds that an engine gets to end, and to start."""


class EngineProcess:
    """A child process and whatever it starts.

    Args:
        name: What its log is called.
        command: The program and its arguments.
        environment: Variables besides those there are.
        piped: Whether its output is an answer to what it reads, rather than for the log.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        piped: bool = False,
    ) -> None:
        self.spawned = time.perf_counter()
        self.log = BUILD / "bench" / f"{name.replace(' ', '-')}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
            )

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Its standard input and output."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        return self._child.stdin, self._child.stdout

    def check(self) -> None:
        """Fail if it has ended, or should have started long ago.

        Raises:
            RuntimeError: It has.
        """
        if self._child.poll() is None and time.perf_counter() - self.spawned > _PATIENCE:
            self.stop()
        if self._child.poll() is not None:
            raise RuntimeError(f"{self.log.stem} did not start; see {self.log}")

    def pause(self) -> None:
        """Hold it still; who watches over others first."""
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        """Let it go on, in the opposite order."""
        for process in reversed(list(self._family())):
            process.resume()

    def memory(self) -> int:
        """Return the bytes it holds, a share of what it shares."""
        return sum(_proportional(process) for process in self._family())

    def processor_seconds(self) -> float:
        """Return how long processors have worked for it."""
        times = [process.cpu_times() for process in self._family()]
        return sum(time.user + time.system for time in times)

    def own_memory(self) -> int:
        """Return the bytes that it alone holds, whoever else uses the same libraries."""
        return sum(int(process.memory_full_info().uss) for process in self._family())

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return sum(process.num_fds() for process in self._family())

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def stop(self) -> None:
        """End it and all that it started."""
        family = list(self._family())
        for process in reversed(family):
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self._child.terminate()
        _, alive = psutil.wait_procs(family, timeout=_GRACE)
        for process in alive:
            process.kill()
        self._child.wait()

    def _family(self) -> Iterator[psutil.Process]:
        if self._child.poll() is None:
            parent = psutil.Process(self._child.pid)
            yield parent
            yield from parent.children(recursive=True)


def _proportional(process: psutil.Process) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))
