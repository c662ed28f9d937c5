"""Finding and watching real processes."""

import os
from collections.abc import Iterator
from pathlib import Path


def workers(parent: int | None = None) -> list[int]:
    """Return the engine processes that a process has started, oldest first."""
    return [pid for pid in sorted(_children(parent or os.getpid())) if _is_worker(pid)]


def servers(parent: int) -> dict[int, int]:
    """Return the processes that serve for one, by their numbers."""
    found = {}
    for pid in _children(parent):
        _, _, arguments = _command(pid).partition(b"cli.serve_worker\0")
        if arguments and lives(pid):
            found[int(arguments.split(b"\0")[0])] = pid
    return found


def lives(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return _status(pid).get("State", "Z")[0] not in "ZX"


def sleeps(pid: int) -> bool:
    """Whether a process waits for something to be said to it."""
    return _status(pid).get("State", "Z")[0] == "S"


def _children(parent: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _status(int(entry.name)).get("PPid") == str(parent):
            yield int(entry.name)


def _is_worker(pid: int) -> bool:
    return b"supervised.worker" in _command(pid) and lives(pid)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
