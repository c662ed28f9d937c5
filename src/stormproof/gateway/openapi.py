"""What the served schema says beyond what the models say by themselves."""

from typing import Any, Final

from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict


class ErrorBody(BaseModel):
    """The inside of the one wire form; see the error reference."""

    model_config = ConfigDict(extra="forbid")

    message: str
    type: str
    param: str | None
    code: str
    status: int
    category: str
    severity: str
    details: dict[str, Any]
    timestamp: str
    request_id: str | None
    retriable: bool
    retry_after: float | None


class ErrorDocument(BaseModel):
    """The one wire form of every error."""

    error: ErrorBody


DOCS_ASSETS: Final = "/docs-assets"
"""Where the interactive docs find their scripts: here, not on somebody's server."""

BEARER: Final = HTTPBearer(
    auto_error=False, description="Needed where the server was started with keys."
)
"""Tells the schema of the keys; the edge of the server checks them."""

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorDocument, "description": description}
    for status, description in {
        400: "The request cannot be understood, or can never be served.",
        401: "No valid key.",
        404: "No such route or model.",
        405: "The route does not know this method.",
        413: "The body is too large.",
        415: "The body is compressed, or not JSON though a web page sent it.",
        422: "A value breaks a rule of its domain.",
        429: "Too many requests.",
        500: "Something failed inside.",
        502: "Who was asked for the answer failed.",
        503: "No capacity now; see Retry-After.",
        504: "The time allowed is over.",
    }.items()
}

EVENT_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The answer; with `stream: true` as server-sent events.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
                    "required": ["data"],
                }
            },
        },
    },
}
