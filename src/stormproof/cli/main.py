"""The ``stormproof`` command and its sub-commands."""

import sys
from typing import Annotated

try:
    import typer
except ModuleNotFoundError as missing:
    sys.exit(f"The command line needs the extra: pip install 'stormproof[serve]' ({missing})")

from stormproof.cli import key, model, reflex
from stormproof.cli.bench import bench
from stormproof.cli.chat import chat
from stormproof.cli.doctor import doctor
from stormproof.cli.errors import errors
from stormproof.cli.generate import generate
from stormproof.cli.serve import serve
from stormproof.cli.top import top
from stormproof.version import __version__

app = typer.Typer(
    name="stormproof",
    help="An LLM stack that keeps answering.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(serve)
app.command()(chat)
app.command()(generate)
app.command()(bench)
app.command()(top)
app.command()(doctor)
app.command()(errors)
app.add_typer(model.app, name="model")
app.add_typer(reflex.app, name="reflex")
app.add_typer(key.app, name="key")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"stormproof {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
