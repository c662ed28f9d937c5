"""One process at a time may change what lies in a folder of the library."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stormproof.weights.disk import storing
from stormproof.weights.progress import PullProgress, Report, Stage


@contextmanager
def only_one(folder: Path, report: Report) -> Iterator[None]:
    """Hold the lock of ``folder`` during the block, after waiting for whoever has it.

    The lock belongs to the operating system, which drops it when a process dies, however it
    dies; so a lock is never stale. The empty file that carries it stays.

    Args:
        folder: What the block will change; it need not exist.
        report: Hears once that somebody else has the lock.
    """
    path = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(path, preserve_lock_file=True)
    with storing("lock the library", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            report(PullProgress(Stage.WAITING))
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
