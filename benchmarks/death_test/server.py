"""A real server whose engine's process can be struck, and what its log tells of that."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Final

BENCHMARKS: Final = Path(__file__).resolve().parents[1]


class Server:
    """A server that listens.

    Args:
        url: Where.
        pid: Its process.
        log: The lines that it writes from now on.
    """

    def __init__(self, url: str, pid: int, log: Iterable[str]) -> None:
        self.url = url
        self.deaths = 0
        """How many processes of its engine have died."""
        self.recoveries: list[float] = []
        """For how many seconds there was none, each time."""
        self.whole = True
        """Whether there is one."""
        self._pid = pid
        # A log that nobody reads would fill its pipe and stop the server.
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def end(self) -> None:
        """Kill it, and read the rest of its log."""
        os.kill(self._pid, SIGKILL)
        self._reader.join()

    def _read(self, log: Iterable[str]) -> None:
        for line in log:
            event = json.loads(line) if line.startswith("{") else {}
            match event.get("event"):
                case "engine died":
                    self.deaths += 1
                    self.whole = False
                case "engine recovered":
                    self.recoveries.append(event["seconds"])
                    self.whole = True

    def strike(self, blow: Signals) -> bool:
        """Send a signal to the process that computes; returns whether there was one."""
        for pid in self._children():
            with suppress(OSError):  # it has just gone
                if b"supervised.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, blow)
                    return True
        return False

    def _children(self) -> list[int]:
        """Return its processes, the oldest first: younger ones wait to take over."""
        files = Path(f"/proc/{self._pid}/task").glob("*/children")
        return sorted(int(pid) for file in files for pid in file.read_text().split())


@contextmanager
def serving(flags: Sequence[str]) -> Iterator[Server]:
    """Run a server with the embedded model until the block ends."""
    command = [sys.executable, "-m", "death_test.mortal_server", "serve", "--port", "0", *flags]
    path = os.pathsep.join([str(BENCHMARKS), *filter(None, sys.path)])
    with subprocess.Popen(
        [*command, "--log-level", "warning"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stderr is not None
        found = (re.search(r"Listening on (http\S+)", line) for line in process.stderr)
        url = next(match[1] for match in found if match)
        server = Server(url, process.pid, process.stderr)
        try:
            yield server
        finally:
            server.end()
