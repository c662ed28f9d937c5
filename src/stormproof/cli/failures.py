"""How the command line shows what failed: a message, a code, what to do; never a traceback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from stormproof.errors import ClientError, InternalError, StormproofError, to_wire

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""


@contextmanager
def failures(console: Console | None = None, *, as_json: bool = False) -> Iterator[None]:
    """Show whatever the block raises, and end the program.

    Args:
        console: Where to show it; standard error by default.
        as_json: Print the error's wire form instead of text.

    Raises:
        typer.Exit: With status 2 if the user has to ask differently, 1 for other failures, 130
            after Ctrl-C.
    """
    console = console or Console(stderr=True)
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except StormproofError as error:
        _show(error, console, as_json=as_json)
        raise typer.Exit(USAGE if isinstance(error, ClientError) else FAILED) from error
    except Exception as error:  # a person at a terminal never gets a traceback
        unexpected = InternalError(reason=f"{type(error).__name__}: {error}")
        _show(unexpected, console, as_json=as_json)
        raise typer.Exit(FAILED) from error


def _show(error: StormproofError, console: Console, *, as_json: bool) -> None:
    if as_json:
        console.out(json.dumps(to_wire(error)), highlight=False)
        return
    # The person who typed the command owns the machine: internal fields help and harm nobody.
    console.print(Text.assemble((error.code, "bold red"), " ", str(error)), soft_wrap=True)
    console.print(Text(error.remedy, style="dim"), soft_wrap=True)
