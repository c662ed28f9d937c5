"""Showing how far a pull is: bars on a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from stormproof.recovery import Event, RetryScheduled, subscribe
from stormproof.weights import PullProgress, Report, Stage

_LINES: Final = 10
"""Lines that a download of known length gets where there is no terminal."""

_WAITING: Final = "another process is pulling this model; waiting for it"


@contextmanager
def pull_progress(console: Console) -> Iterator[Report]:
    """Yield what ``ModelLibrary.pull`` may report its progress to; retries are shown too.

    Args:
        console: Where to show it; results belong elsewhere.
    """

    def show_retry(event: Event) -> None:
        if isinstance(event, RetryScheduled):
            text = f"{event.error}; trying again in {event.wait:.1f} s"
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    unsubscribe = subscribe(show_retry)
    try:
        if console.is_terminal:
            with _progress(console) as bars:
                yield _Bars(bars)
        else:
            yield _Lines(console)
    finally:
        unsubscribe()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _Bars:
    """One bar for each stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[Stage, TaskID] = {}

    def __call__(self, progress: PullProgress) -> None:
        if progress.stage is Stage.WAITING:
            self._bars.console.print(_WAITING)
            return
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bars.add_task(progress.stage, total=None)
        task = self._tasks[progress.stage]
        self._bars.update(task, completed=progress.done, total=progress.total)


class _Lines:
    """A line for the beginning of each stage, and for each tenth of a download."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[Stage, int] | None = None

    def __call__(self, progress: PullProgress) -> None:
        step = _tenth(progress) if progress.stage is Stage.DOWNLOADING else 0
        if (progress.stage, step) != self._last:
            self._last = (progress.stage, step)
            self._console.print(_line(progress), highlight=False)


def _tenth(progress: PullProgress) -> int:
    return progress.done * _LINES // progress.total if progress.total else 0


def _line(progress: PullProgress) -> str:
    if progress.stage is Stage.WAITING:
        return _WAITING
    if progress.stage is not Stage.DOWNLOADING and progress.total:
        return f"{progress.stage} {decimal(progress.total)}"
    total = f" of {decimal(progress.total)}" if progress.total else ""
    return f"{progress.stage}: {decimal(progress.done)}{total}"
