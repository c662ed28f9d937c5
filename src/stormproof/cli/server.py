"""Where the server is that a command talks to, and what opens it."""

import json
import os
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from stormproof.errors import NetworkError, ProtocolError, StormproofError, from_wire, translate

if TYPE_CHECKING:
    import httpx2

LOCAL: Final = "http://127.0.0.1:8000"


def root_of(url: str | None) -> str | None:
    """Return where a server is, of the address with ``/v1`` that OpenAI's clients are given."""
    return url and url.rstrip("/").removesuffix("/v1")


Url: TypeAlias = Annotated[
    str, typer.Option(help="Where the server is.", envvar="STORMPROOF_URL", callback=root_of)
]


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
    except httpx2.ConnectError as error:
        where = f"{client.base_url.scheme}://{client.base_url.netloc.decode()}"
        reason = f"no server answers at {where}; stormproof serve starts one"
        raise NetworkError(reason=reason) from error
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
    if response.is_error:
        raise refusal(response.status_code, response.content)
    try:
        return response.json()
    except ValueError as error:
        raise ProtocolError(reason="the server does not speak JSON") from error


def refusal(status: int, body: bytes) -> StormproofError:
    """Return the error that a server answered with; its status, if that is all one understands."""
    try:
        return from_wire(json.loads(body))
    except (ValueError, ProtocolError):
        return ProtocolError(reason=f"the server answered with status {status}")
