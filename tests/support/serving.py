"""A real server: a process started by the command line, on a free port."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

MODEL = "smollm2"


@dataclass(frozen=True)
class Server:
    """A server that is listening."""

    url: str
    process: subprocess.Popen[str]

    def client(self, **options: object) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=120, **options)  # type: ignore[arg-type]

    def metric(self, name: str) -> float:
        """The value of a series without labels."""
        text = httpx2.get(f"{self.url}/metrics", timeout=30).text
        [value] = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(value)

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


@contextmanager
def serving(
    model: Path, *flags: str, program: str = "stormproof.cli", **environ: str
) -> Iterator[Server]:
    """Run ``stormproof serve`` with a model until the block ends."""
    local = ("--model", str(model), "--model-name", MODEL, "--num-blocks", "256")
    with running(*local, *flags, program=program, **environ) as server:
        yield server


@contextmanager
def running(*flags: str, program: str = "stormproof.cli", **environ: str) -> Iterator[Server]:
    """Run ``stormproof serve`` until the block ends."""
    command = [sys.executable, "-m", program, "serve", "--port", "0", *flags]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environ},
    ) as process:
        try:
            yield Server(_listening(process), process)
        finally:
            process.kill()


def _listening(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        found = re.search(r"Listening on (http://\S+)", line)
        if found:
            # A log that nobody reads would fill its pipe and stop the server.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[1]
    raise AssertionError("the server did not start:\n" + "".join(seen))


def chat_body(content: str = "Say hi.", **more: object) -> dict[str, object]:
    messages = [{"role": "user", "content": content}]
    return {"model": MODEL, "messages": messages, "max_tokens": 8, "temperature": 0, **more}
