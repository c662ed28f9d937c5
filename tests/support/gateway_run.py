"""A real gateway, with everything that it and its commands write, in one folder."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CLI = [sys.executable, "-m", "stormproof.cli"]
_PATIENCE = 60


class GatewayRun:
    """A gateway that may be killed and started again.

    Args:
        folder: Where it works, and logs all there is to log.
        settings: What its file says.
        environment: Variables for it.

    Attributes:
        folder: The same.
        told: What was said to whoever ran it, beside the log: to be added to.
    """

    def __init__(self, folder: Path, settings: str, **environment: str) -> None:
        self.folder = folder
        self._environment = {**os.environ, "COLUMNS": "200", **environment}
        self.told: list[bytes] = []
        self._started = 0
        (folder / "stormproof.toml").write_text(settings)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve, and yield where; kill it in the end."""
        self._started += 1
        log = self.folder / f"log-{self._started}"
        command = [*_CLI, "serve", "--port", "0", "--log-level", "debug"]
        with log.open("wb") as written:
            process = subprocess.Popen(
                command, stdout=written, stderr=written, cwd=self.folder, env=self._environment
            )
        try:
            yield _listening(log, process)
        finally:
            process.kill()
            process.wait()

    def tell(self, *arguments: str) -> Any:
        """Have a command of ours say something; return it, if that is JSON."""
        done = subprocess.run(
            [*_CLI, *arguments],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self._environment,
            timeout=_PATIENCE,
        )
        self.told.append(done.stdout + done.stderr)
        return json.loads(done.stdout) if "--json" in arguments else None


def _listening(log: Path, process: subprocess.Popen[bytes]) -> str:
    while not (found := re.search(r"Listening on (http://[\d.:]+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    return found[1]
