"""Loading a model, with a bar for those who wait."""

import os
import typing

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if typing.TYPE_CHECKING:
    from stormproof.engine import AsyncLLM, EngineConfig


def load_engine(config: "EngineConfig", console: Console) -> "AsyncLLM":
    """Start an engine.

    Args:
        config: What to load, and how.
        console: Where the progress is shown, if it is a terminal.

    Raises:
        StormproofError: As `AsyncLLM.load` does.
    """
    from stormproof.engine import AsyncLLM  # noqa: PLC0415 - heavy: --help does without

    # libgomp's threads spin while they wait for each other, for ever by default. On a machine that
    # is shared that takes the core from the very thread they wait for: half the speed is lost.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    columns = (TextColumn("Loading the model"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("load", total=1.0)
        return AsyncLLM.load(config, progress=lambda done: progress.update(task, completed=done))
