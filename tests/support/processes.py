"""Finding and watching real processes."""

import os
from collections.abc import Iterator
from pathlib import Path


def workers(parent: int | None = None) -> list[int]:
    """Return the engine processes that a process has started, oldest first."""
    return [pid for pid in sorted(_children(parent or os.getpid())) if _is_worker(pid)]


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
    try:
        return b"supervised.worker" in Path(f"/proc/{pid}/cmdline").read_bytes() and lives(pid)
    except OSError:
        return False


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
