"""Showing how far a file of prompts is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from stormproof.cli.answer_line import AnswerLine

_LINES: Final = 10
"""Lines that a run of known length gets where there is no terminal."""


@dataclass(slots=True)
class Tally:
    """What a run has done.

    Attributes:
        before: Lines that earlier runs answered.
        failed: Answers that are errors, earlier ones among them.
        total: Lines to be answered in this run; None while that is not known.
        answered: Lines that this run answered.
        tokens: Tokens that it generated.
        clock: Seconds.
    """

    before: int
    failed: int
    total: int | None
    answered: int = 0
    tokens: int = 0
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0

    def __post_init__(self) -> None:
        self.started = self.clock()

    def add(self, answers: Sequence[AnswerLine]) -> None:
        """Count answers that were written."""
        self.answered += len(answers)
        self.failed += sum(answer.failed for answer in answers)
        self.tokens += sum(answer.tokens for answer in answers)

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return self.clock() - self.started

    @property
    def rate(self) -> str:
        """How fast it is, for people."""
        seconds = max(self.seconds, 1e-9)
        return f"{self.answered / seconds:.1f} lines/s, {self.tokens / seconds:,.0f} tokens/s"

    def summary(self) -> dict[str, Any]:
        """Return the numbers, for programs."""
        return {
            "answered": self.answered,
            "answered_before": self.before,
            "errors": self.failed,
            "completion_tokens": self.tokens,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        before = f", {self.before:,} before" if self.before else ""
        errors = f", {self.failed:,} with an error" if self.failed else ""
        return f"{self.answered:,} lines answered{before}{errors}; {self.rate}"


@contextmanager
def answer_progress(
    console: Console, tally: Tally
) -> Iterator[Callable[[Sequence[AnswerLine]], None]]:
    """Yield what is told of answers that were written, and counts and shows them.

    Args:
        console: Where to show it; answers belong elsewhere.
        tally: Where to count.
    """
    if console.is_terminal:
        with _progress(console) as bars:
            yield _Bar(bars, tally)
    else:
        yield _Lines(console, tally)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("Answering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _Bar:
    """One bar, with the rate beside it."""

    def __init__(self, bars: Progress, tally: Tally) -> None:
        total = None if tally.total is None else tally.before + tally.total
        self._bars = bars
        self._tally = tally
        self._task: TaskID = bars.add_task("", total=total, completed=tally.before, rate="")

    def __call__(self, answers: Sequence[AnswerLine]) -> None:
        self._tally.add(answers)
        self._bars.update(self._task, advance=len(answers), rate=self._tally.rate)


class _Lines:
    """A line for each tenth."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally

    def __call__(self, answers: Sequence[AnswerLine]) -> None:
        before = self._tenth()
        self._tally.add(answers)
        if self._tenth() != before:
            text = f"{self._tally.answered} of {self._tally.total} lines; {self._tally.rate}"
            self._console.print(text, highlight=False, soft_wrap=True)

    def _tenth(self) -> int:
        return self._tally.answered * _LINES // self._tally.total if self._tally.total else 0
