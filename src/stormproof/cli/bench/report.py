"""Showing how a benchmark goes, and what came of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stormproof.cli.bench.result import Result
from stormproof.cli.bench.workload import Workload


@contextmanager
def bench_progress(console: Console) -> Iterator[Callable[[Workload, int], Callable[[int], None]]]:
    """Yield what begins a workload of so many tokens, and returns what is told of them.

    Args:
        console: Where to show it: a bar on a terminal, a line for each workload elsewhere.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:

        def begin(workload: Workload, tokens: int) -> Callable[[int], None]:
            if not console.is_terminal:
                console.print(f"Measuring {workload.name}", highlight=False)
            task = bars.add_task(f"Measuring {workload.name}", total=tokens)
            return lambda done: bars.advance(task, done)

        yield begin


def table(results: Sequence[Result]) -> Table:
    """Lay results out for people."""
    shown = Table(
        box=None, pad_edge=False, header_style="bold", caption="tokens a second, and milliseconds"
    )
    shown.add_column("Requests x\nin + out", no_wrap=True)
    for heading in (
        *("Output\ntok/s", "Prompt\ntok/s", "First token\np50", "\np95"),
        *("Between\np50", "\np95", "\np99"),
    ):
        shown.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        failed = f" ({result.failed} failed)" if result.failed else ""
        times = [result.first_token.p50, result.first_token.p95, *_between(result)]
        shown.add_row(
            result.workload + failed,
            f"{result.output_tokens_per_second:,.1f}",
            f"{result.prompt_tokens_per_second:,.1f}",
            *("-" if seconds is None else f"{seconds * 1000:,.1f}" for seconds in times),
        )
    return shown


def _between(result: Result) -> tuple[float | None, ...]:
    found = result.inter_token
    return (found.p50, found.p95, found.p99) if found else (None, None, None)
