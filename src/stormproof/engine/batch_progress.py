"""How far a batch is, for those who wait for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """What was done of a batch.

    Attributes:
        answered: Answers that are complete, or failed; texts that are embedded.
        total: How many there will be; None while that is not known.
        prompt_tokens: Tokens of the prompts of those that are complete; of texts that are embedded.
        output_tokens: Tokens generated for all; none where texts are embedded.
    """

    answered: int
    total: int | None
    prompt_tokens: int
    output_tokens: int


Report: TypeAlias = Callable[[BatchProgress], None]
"""Told how far a batch is, after every step."""


@contextmanager
def reporting(wanted: bool | Report, title: str) -> Iterator[Report]:
    """Yield what is told how far a batch is.

    Args:
        wanted: What to tell it to; True shows a bar on standard error.
        title: What is done, for the bar.
    """
    if callable(wanted):
        yield wanted
    elif wanted:
        with _bar(title) as report:
            yield report
    else:
        yield lambda _: None


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    # Only those who want a bar pay for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rates]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        task = bars.add_task("", total=None, rates="")

        def report(progress: BatchProgress) -> None:
            seconds = max(bars.tasks[0].elapsed or 0.0, 1e-9)
            rates = f"{progress.prompt_tokens / seconds:,.0f} tokens/s in"
            if progress.output_tokens:
                rates += f", {progress.output_tokens / seconds:,.0f} out"
            bars.update(task, completed=progress.answered, total=progress.total, rates=rates)

        yield report
