"""A real Redis server, which can be killed and brought back."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

PROGRAM = shutil.which("redis-server")

_MOST_TRIES = 500


class RedisServer:
    """A server on a socket of its own, which keeps nothing on disk."""

    def __init__(self, *options: str) -> None:
        # Not pytest's directory: the path of a socket is 107 characters at most.
        self._directory = tempfile.TemporaryDirectory(prefix="redis-")
        self._socket = Path(self._directory.name, "socket")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def client(self) -> Redis:
        return Redis.from_url(self.url, protocol=2, decode_responses=True)

    def start(self) -> None:
        """Return when it answers."""
        assert PROGRAM is not None
        arguments = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", *self._options]
        self._process = subprocess.Popen(
            [PROGRAM, *arguments], stdout=subprocess.DEVNULL, cwd=self._directory.name
        )
        with self.client() as client:
            for _ in range(_MOST_TRIES):
                try:
                    client.ping()
                except RedisConnectionError:
                    time.sleep(0.01)
                else:
                    return
        raise RuntimeError("redis-server does not answer")

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self._directory.cleanup()
