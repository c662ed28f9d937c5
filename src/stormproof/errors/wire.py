"""The one form in which an error travels: over HTTP, between processes, through queues.

The document is at once a valid OpenAI error object (``message``, ``type``, ``param``, ``code``)
and whole: a client that knows this package gets back the class that was raised. Two forms exist.
The *public* one is for clients and holds nothing internal. The *internal* one is for our own
processes and also holds internal fields, notes and the chain of causes.

Here errors are written; ``decoding`` reads them.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from stormproof.errors.causes import causes
from stormproof.errors.foreign_cause import ForeignCause
from stormproof.errors.jsonable import LONGEST_LIST, jsonable
from stormproof.errors.redaction import redact
from stormproof.errors.resource_errors import RateLimitExceeded
from stormproof.errors.retry_after import format_retry_after
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category

_OPENAI_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def to_wire(error: StormproofError, *, internal: bool = False) -> dict[str, Any]:
    """Return the document that carries ``error``, ready for any JSON encoder.

    Args:
        error: What happened.
        internal: False for clients. True between our own processes: internal fields, notes and
            causes travel too.
    """
    if not internal:
        return {"error": _public(error)}
    body = _whole(error)
    body["internal"]["causes"] = [_cause(cause) for cause in causes(error)]
    return {"error": body}


def to_problem(error: StormproofError) -> dict[str, Any]:
    """Return ``error`` as problem details (RFC 9457, ``application/problem+json``)."""
    body = _public(error)
    title = (type(error).__doc__ or error.code).partition("\n")[0]
    return {
        "type": f"urn:stormproof:error:{error.code}",
        "title": title,
        "status": error.http_status,
        "detail": body.pop("message"),
        **{name: value for name, value in body.items() if name not in {"type", "status"}},
    }


def http_headers(error: StormproofError) -> dict[str, str]:
    """Return the headers that belong to a response carrying ``error``, names in lower case."""
    headers = {}
    if error.retry_after is not None and math.isfinite(error.retry_after):
        headers["retry-after"] = format_retry_after(error.retry_after)
    if error.request_id is not None:
        headers["x-request-id"] = error.request_id
    if error.http_status == 401:  # noqa: PLR2004 - RFC 9110 section 15.5.2 wants the challenge
        headers["www-authenticate"] = "Bearer"
    if error.http_status == 429 and not error.retriable:  # noqa: PLR2004 - clients repeat any other
        headers["x-should-retry"] = "false"
    if isinstance(error, RateLimitExceeded):
        headers.update(_rate_limits(error))
    return headers


def _rate_limits(error: RateLimitExceeded) -> Iterator[tuple[str, str]]:
    """Yield the headers that say how much is left, as far as they are in order."""
    for line in (error.headers or "").split("\n"):
        name, _, value = line.partition(": ")
        if name.startswith("x-ratelimit-") and line.isascii() and line.isprintable():
            yield name, value


def _public(error: StormproofError) -> dict[str, Any]:
    default = "invalid_request_error" if error.category is Category.CLIENT else "server_error"
    details = jsonable(error.details)
    return {
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.http_status, default),
        "param": _culprit(details),
        "code": error.code,
        "status": error.http_status,
        "category": error.category.value,
        "severity": error.severity.name,
        "details": details,
        "timestamp": error.timestamp.isoformat().replace("+00:00", "Z"),
        "request_id": error.request_id,
        "retriable": error.retriable,
        "retry_after": jsonable(error.retry_after),
    }


def _culprit(details: Mapping[str, Any]) -> str | None:
    named = details.get("param") or details.get("field")
    return named if isinstance(named, str) else None


def _whole(error: StormproofError) -> dict[str, Any]:
    inside = {"fields": jsonable(error.field_values(internal=True)), "notes": _notes(error)}
    return {**_public(error), "internal": inside}


def _cause(cause: BaseException) -> dict[str, Any]:
    if isinstance(cause, StormproofError):
        return _whole(cause)
    foreign = cause if isinstance(cause, ForeignCause) else ForeignCause.of(cause)
    return {"class": foreign.name, "message": foreign.text, "notes": _notes(foreign)}


def _notes(error: BaseException) -> list[str]:
    return [redact(str(note)) for note in getattr(error, "__notes__", ())[:LONGEST_LIST]]
