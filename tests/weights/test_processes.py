"""Processes that pull at once, and processes that are killed."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from stormproof.weights import ModelLibrary, PullProgress, Stage
from support import mirror as support
from support.mirror import PAYLOAD, Mirror, halt_after

HALF = 150_000


def pulling(mirror: Mirror, tmp_path: Path) -> subprocess.Popen[str]:
    """Start a process that pulls the model and prints its progress."""
    tests = Path(support.__file__).parent.parent
    program = f"import sys; sys.path.insert(0, {str(tests)!r}); import support.mirror as m"
    command = [sys.executable, "-c", f"{program}; m.pull_aloud()", mirror.url]
    return subprocess.Popen([*command, str(tmp_path / "models")], stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], stage: Stage, done: int = 0) -> None:
    """Read what ``process`` prints until it says that it has come this far."""
    assert process.stdout is not None
    for line in process.stdout:
        name, count = line.split()
        if name == stage and int(count) >= done:
            return
    pytest.fail(f"the process ended before {stage} {done}")


def test_a_killed_pull_is_continued(mirror: Mirror, library: ModelLibrary, tmp_path: Path) -> None:
    """After ``kill -9`` the next pull asks for the rest, and is not stopped by a stale lock."""
    go_on = Event()
    mirror.answers.append(halt_after(HALF, go_on))
    with pulling(mirror, tmp_path) as process:
        read_until(process, Stage.DOWNLOADING, HALF)
        process.send_signal(signal.SIGKILL)
    go_on.set()
    heard: list[PullProgress] = []
    assert library.pull("tiny", progress=heard.append).read_bytes() == PAYLOAD
    assert process.returncode == -signal.SIGKILL
    assert Stage.WAITING not in {progress.stage for progress in heard}
    kept = HALF - 2 * 8192  # what lay in the buffer of the file dies with the process
    offset = int((mirror.ranges[1] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    assert kept <= offset <= HALF


def test_two_processes_do_one_download(mirror: Mirror, tmp_path: Path) -> None:
    """The second process waits, says so, and uses what the first has pulled."""
    go_on = Event()
    mirror.answers.append(halt_after(HALF, go_on))
    with pulling(mirror, tmp_path) as first:
        read_until(first, Stage.DOWNLOADING)
        with pulling(mirror, tmp_path) as second:
            read_until(second, Stage.WAITING)
            go_on.set()
            for process in (first, second):
                process.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(mirror.requests) == 1


def test_many_threads_do_one_download(mirror: Mirror, library: ModelLibrary) -> None:
    """The lock holds between the threads of one process too."""
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: library.pull("tiny"), range(8)))
    assert len(paths) == 1
    assert len(mirror.requests) == 1


def test_the_second_takes_over_from_a_killed_first(
    mirror: Mirror, library: ModelLibrary, tmp_path: Path
) -> None:
    """If the process that pulls dies, one that waits for it goes on where it was."""
    mirror.answers.append(halt_after(HALF, Event()))
    with pulling(mirror, tmp_path) as first:
        read_until(first, Stage.DOWNLOADING, HALF)
        with pulling(mirror, tmp_path) as second:
            read_until(second, Stage.WAITING)
            first.send_signal(signal.SIGKILL)
            second.communicate()
    assert second.returncode == 0
    assert library.resolve("tiny").read_bytes() == PAYLOAD
    assert len(mirror.requests) == 2
    assert mirror.ranges[1] is not None
