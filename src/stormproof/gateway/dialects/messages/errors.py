"""Errors as Anthropic's API tells them."""

from http import HTTPStatus
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from stormproof.errors import StormproofError, to_wire
from stormproof.gateway.openapi import ErrorBody
from stormproof.providers.chat import Document

PATH: Final = "/v1/messages"
"""Where it listens."""

_KINDS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
}


class MessagesError(BaseModel):
    """Our error in Anthropic's envelope."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["error"]
    error: ErrorBody
    request_id: str | None


def error_document(error: StormproofError) -> Document:
    """Return our wire form in Anthropic's envelope, with a type that its API knows."""
    status = error.http_status
    other = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    told = {**to_wire(error)["error"], "type": _KINDS.get(status, other)}
    return {"type": "error", "error": told, "request_id": error.request_id}
