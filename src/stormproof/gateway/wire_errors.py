"""Every failure on the HTTP surface as the one wire form."""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from stormproof.errors import (
    FieldProblem,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    PartialOutput,
    RouteNotFound,
    StormproofError,
    http_headers,
    to_problem,
    to_wire,
    translate,
)
from stormproof.gateway.dialects.messages import errors as messages

PROBLEM_JSON: Final = "application/problem+json"

_MOST_PROBLEMS: Final = 50

logger = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Make ``app`` answer everything that is raised in its routes in the wire form."""
    app.add_exception_handler(StormproofError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _protocol)
    app.add_exception_handler(Exception, _known)


def respond(request: Request, error: Exception) -> Response:
    """Return the response that carries ``error``: problem details to whoever asks for them.

    Args:
        request: The request that failed.
        error: Anything that was raised while it was served.
    """
    known = seen_by_client(request, error)
    problem = PROBLEM_JSON in request.headers.get("accept", "")
    return Response(
        json.dumps(to_problem(known) if problem else _told(request, known)),
        status_code=known.http_status,
        headers=http_headers(known),
        media_type=PROBLEM_JSON if problem else "application/json",
    )


def seen_by_client(request: Request, error: Exception) -> StormproofError:
    """Return the error as a client may see it, logging what a client may not.

    Of a stream that broke, the client is told what broke it: it has what came before, or gets
    none of it.

    Args:
        request: The request that failed; under its id the log holds the whole story.
        error: Anything that was raised while it was served.
    """
    broke = error.__cause__ if isinstance(error, PartialOutput) else None
    known = translate(broke or error)
    known.request_id = request.state.request_id
    request.state.error_code = known.code
    if isinstance(known, InternalError):
        logger.error("%s: unexpected error", known.request_id, exc_info=error)
    return known


def _told(request: Request, error: StormproofError) -> dict[str, Any]:
    """Return the error as it is told where the request went."""
    within = request.scope["path"].startswith(messages.PATH)
    return messages.error_document(error) if within else to_wire(error)


async def _known(request: Request, error: Exception) -> Response:
    return respond(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return respond(request, _invalid_request(problems))


async def _protocol(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, StormproofError):
        return respond(request, error.__cause__)  # raised while the framework read the body
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:  # noqa: PLR2004 - HTTP's own numbers
        return respond(request, RouteNotFound(path=request.url.path[:200]))
    if status == 405:  # noqa: PLR2004
        allowed = str((getattr(error, "headers", None) or {}).get("Allow", "")).split(", ")
        refusal = MethodNotAllowed(method=request.method, allowed=allowed)
        response = respond(request, refusal)
        response.headers["allow"] = ", ".join(allowed)
        return response
    return respond(request, InvalidRequest(reason="the body is not valid JSON in UTF-8"))


def _invalid_request(problems: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    listed = _merged([_field_problem(problem) for problem in problems])[:_MOST_PROBLEMS]
    reason = "; ".join(
        f"{problem['field']}: {problem['message']}" if problem["field"] else problem["message"]
        for problem in listed
    )
    param = listed[0]["field"] if len(listed) == 1 and listed[0]["field"] else None
    return InvalidRequest(reason=reason or "invalid", param=param, errors=listed)


def _field_problem(problem: Mapping[str, Any]) -> FieldProblem:
    """Say where and what, never the value: it may be a prompt."""
    if problem["type"] == "json_invalid":
        return FieldProblem(field="", message="the body is not valid JSON", type="json_invalid")
    path = [str(part) for part in problem["loc"][1:] if not _is_union_tag(part)]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(path), message=message, type=str(problem["type"]))


def _is_union_tag(part: object) -> bool:
    """Whether a step of a location is pydantic's name for a member of a union, not a field."""
    return isinstance(part, str) and (part in {"str", "int"} or any(c in part for c in "[(-"))


def _merged(problems: list[FieldProblem]) -> list[FieldProblem]:
    """Join what the members of a union each said about the same field."""
    merged: dict[str, FieldProblem] = {}
    for problem in problems:
        known = merged.setdefault(problem["field"], problem)
        if problem["message"] not in known["message"]:
            message = f"{known['message']}, or: {problem['message']}"
            merged[problem["field"]] = {**known, "message": message}
    return list(merged.values())
