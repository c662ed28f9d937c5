"""Where the server is that a command talks to, and what opens it."""

import os
from typing import Annotated, Final, TypeAlias

import typer

LOCAL: Final = "http://127.0.0.1:8000"

Url: TypeAlias = Annotated[str, typer.Option(help="Where the server is.", envvar="STORMPROOF_URL")]


def key_headers() -> dict[str, str]:
    """Return the headers with the key from the environment variable STORMPROOF_API_KEY, if any."""
    key = os.environ.get("STORMPROOF_API_KEY")
    return {"authorization": f"Bearer {key}"} if key else {}
