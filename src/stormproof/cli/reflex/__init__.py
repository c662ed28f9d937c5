"""``stormproof reflex``: what the gateway's stages make of a text."""

import typer

from stormproof.cli.reflex.check import check

app = typer.Typer(no_args_is_help=True, help="See what the stages in front of models would find.")
app.command()(check)


@app.callback()
def _group() -> None:
    pass


__all__ = ["app"]
