"""What the served schema says of APIs that the framework does not see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct
from pydantic import BaseModel

from stormproof.gateway.dialects.chat import CHAT
from stormproof.gateway.dialects.completions import COMPLETIONS
from stormproof.gateway.dialects.messages.errors import PATH, MessagesError
from stormproof.gateway.dialects.messages.request import MessagesRequest
from stormproof.gateway.dialects.responses.reply import RESPONSES
from stormproof.gateway.dialects.responses.request import ResponsesRequest
from stormproof.gateway.openapi import BEARER, ERRORS, EVENT_STREAM, ErrorDocument
from stormproof.providers.chat import ChatFields
from stormproof.providers.texts import TextFields

_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class _Operation:
    path: str
    tag: str
    summary: str
    request: type[Struct]
    error: type[BaseModel]


_OPERATIONS: Final = (
    _Operation(CHAT.path, "OpenAI's API", "Answer a conversation", ChatFields, ErrorDocument),
    _Operation(
        COMPLETIONS.path, "OpenAI's API", "Continue one or several texts", TextFields, ErrorDocument
    ),
    _Operation(
        RESPONSES.path, "OpenAI's API", "Answer a conversation", ResponsesRequest, ErrorDocument
    ),
    _Operation(PATH, "Anthropic's API", "Answer a conversation", MessagesRequest, MessagesError),
)


def described(openapi: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the schema with what is missing there.

    Args:
        openapi: Returns what the framework says, always the same document.
    """
    document = openapi()
    schemas = document["components"]["schemas"]
    for operation in _OPERATIONS:
        if operation.path not in document["paths"]:
            document["paths"][operation.path] = {"post": _post(operation, schemas)}
    return document


def _post(operation: _Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe an operation, whose schemas go to the others."""
    prefix = f"{operation.request.__name__}."  # two APIs have other things of one name
    [asked], named = msgspec.json.schema_components(
        [operation.request], ref_template=f"{_SCHEMAS}{prefix}{{name}}"
    )
    schemas |= {f"{prefix}{name}": schema for name, schema in named.items()}
    error = operation.error.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    schemas[operation.error.__name__] = {name: error[name] for name in error if name != "$defs"}
    failed = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{operation.error.__name__}"}}}
    refusals = {
        str(status): {"description": told["description"], "content": failed}
        for status, told in ERRORS.items()
    }
    return {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation.request.__name__,
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {"200": EVENT_STREAM[200], **refusals},
        "security": [{BEARER.scheme_name: []}],
    }
