"""Where the server is that a command talks to, and what opens it."""

import os
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from stormproof.errors import ProtocolError, from_wire, translate

if TYPE_CHECKING:
    import httpx2

LOCAL: Final = "http://127.0.0.1:8000"

Url: TypeAlias = Annotated[str, typer.Option(help="Where the server is.", envvar="STORMPROOF_URL")]


def key_headers() -> dict[str, str]:
    """Return the headers with the key from the environment variable STORMPROOF_API_KEY, if any."""
    key = os.environ.get("STORMPROOF_API_KEY")
    return {"authorization": f"Bearer {key}"} if key else {}


def first_model(client: "httpx2.Client") -> str:
    """Return the name of the first model that is served.

    Raises:
        ProtocolError: There is none, or this is no server of models.
        StormproofError: The server cannot be reached, or refuses.
    """
    import httpx2  # noqa: PLC0415 - heavy: --help does without

    try:
        response = client.get("/v1/models")
    except httpx2.HTTPError as error:
        raise translate(error) from error
    document = read_json(response)
    try:
        return str(document["data"][0]["id"])
    except (LookupError, TypeError) as error:
        raise ProtocolError(reason="the server lists no model") from error


def read_json(response: "httpx2.Response") -> Any:
    """Return the document that a server answered with.

    Raises:
        ProtocolError: It is no JSON.
        StormproofError: It is an error.
    """
    try:
        document = response.json()
    except ValueError as error:
        raise ProtocolError(reason="the server does not speak JSON") from error
    if response.is_error:
        raise from_wire(document)
    return document
