"""A real PostgreSQL server, which can be killed and brought back."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_FOLDERS = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
_PATH = os.pathsep.join([os.environ.get("PATH", ""), *reversed(_FOLDERS)])
PROGRAM = shutil.which("postgres", path=_PATH)
_INITDB = shutil.which("initdb", path=_PATH)

_USER = "postgres" if os.geteuid() == 0 else None
"""The server does not run as root."""

_MOST_TRIES = 500


class PostgresServer:
    """A server on a socket of its own."""

    def __init__(self) -> None:
        assert _INITDB is not None
        # Not pytest's directory: the path of a socket is 107 characters at most.
        self._directory = tempfile.TemporaryDirectory(prefix="pg-")
        if _USER:
            shutil.chown(self._directory.name, _USER)
        self._data = f"{self._directory.name}/data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        subprocess.run(
            [_INITDB, "-D", self._data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync"],
            env={"LC_ALL": "C", "PATH": _PATH},
            user=_USER,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._directory.name,
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://owner@/{database}?host={self._directory.name}"

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Return when it answers."""
        assert PROGRAM is not None
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
        self._process = subprocess.Popen(
            [PROGRAM, "-D", self._data, "-k", self._directory.name, *options],
            env={"LC_ALL": "C", "PATH": _PATH},
            user=_USER,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory.name,
        )
        for _ in range(_MOST_TRIES):
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("postgres does not answer")

    def stop(self) -> None:
        """End it at once, as a crash would: it recovers when it is started again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def close(self) -> None:
        self.stop()
        self._directory.cleanup()
