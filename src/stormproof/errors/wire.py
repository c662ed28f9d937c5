"""The one form in which an error travels: over HTTP, between processes, through queues.

The document is at once a valid OpenAI error object (``message``, ``type``, ``param``, ``code``)
and whole: a client that knows this package gets back the class that was raised. Two forms exist.
The *public* one is for clients and holds nothing internal. The *internal* one is for our own
processes and also holds internal fields, notes and the chain of causes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from stormproof.errors.client_errors import ClientError
from stormproof.errors.decoding import Malformed, decode_fields
from stormproof.errors.external_errors import ExternalError, ProtocolError
from stormproof.errors.foreign_cause import LONGEST_CHAIN, ForeignCause
from stormproof.errors.platform_errors import PlatformError
from stormproof.errors.redaction import redact
from stormproof.errors.resource_errors import ResourceError
from stormproof.errors.retry_after import LONGEST_WAIT, format_retry_after
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category, Severity

LONGEST_LIST: Final = 100
"""Entries of a list or mapping that travel; the rest is cut."""

_DEEPEST: Final = 6

_FAMILIES: Final[Mapping[Category, type[StormproofError]]] = {
    Category.CLIENT: ClientError,
    Category.RESOURCE: ResourceError,
    Category.PLATFORM: PlatformError,
    Category.EXTERNAL: ExternalError,
}

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
    body = _public(error)
    if internal:
        body["internal"] = {
            "fields": jsonable(error.field_values(internal=True)),
            "notes": [redact(str(note)) for note in getattr(error, "__notes__", ())],
            "cause": _cause_to_wire(error.__cause__, depth=1),
        }
    return {"error": body}


def to_problem(error: StormproofError) -> dict[str, Any]:
    """Return ``error`` as problem details (RFC 9457, ``application/problem+json``)."""
    body = _public(error)
    return {
        "type": f"urn:stormproof:error:{error.code}",
        "title": type(error).__doc__.partition("\n")[0] if type(error).__doc__ else error.code,
        "status": error.http_status,
        "detail": body.pop("message"),
        **{name: value for name, value in body.items() if name not in {"type", "status"}},
    }


def http_headers(error: StormproofError) -> dict[str, str]:
    """Return the headers that belong to a response carrying ``error``, names in lower case."""
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = format_retry_after(error.retry_after)
    if error.request_id is not None:
        headers["x-request-id"] = error.request_id
    if error.http_status == 401:  # noqa: PLR2004 - RFC 9110 section 15.5.2 wants the challenge
        headers["www-authenticate"] = "Bearer"
    return headers


def from_wire(document: object) -> StormproofError:
    """Return the error that a document carries; the inverse of ``to_wire``.

    A code that this version does not know comes back as its family, with the code, status,
    message and retriability that the document states.

    Args:
        document: A decoded JSON document from anywhere; it is not trusted.

    Raises:
        ProtocolError: The document is not an error document.
    """
    body = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(body.get("message"), str):
        raise ProtocolError(reason="not an error document")
    return _from_body(body, depth=0)


def known_errors() -> dict[str, type[StormproofError]]:
    """Return every leaf class by its code: ours, and those that applications have derived."""
    return {cls.code: cls for cls in _descendants(StormproofError) if "code" in vars(cls)}


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return ``value`` in JSON's types: bounded, enums by value, secrets blanked out."""
    if value is None or isinstance(value, (bool, int)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return jsonable(value.value, depth)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        pairs = list(value.items())[:LONGEST_LIST]
        return {redact(str(name)): jsonable(item, depth + 1) for name, item in pairs}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and depth < _DEEPEST:
        return [jsonable(item, depth + 1) for item in value[:LONGEST_LIST]]
    return redact(str(value))


def _public(error: StormproofError) -> dict[str, Any]:
    default = "invalid_request_error" if error.category is Category.CLIENT else "server_error"
    return {
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.http_status, default),
        "param": getattr(error, "param", None) or getattr(error, "field", None),
        "code": error.code,
        "status": error.http_status,
        "category": error.category.value,
        "severity": error.severity.name,
        "details": jsonable(error.details),
        "timestamp": error.timestamp.isoformat().replace("+00:00", "Z"),
        "request_id": error.request_id,
        "retriable": error.retriable,
        "retry_after": error.retry_after,
    }


def _cause_to_wire(cause: BaseException | None, depth: int) -> dict[str, Any] | None:
    if cause is None or depth > LONGEST_CHAIN:
        return None
    if isinstance(cause, StormproofError):
        body = to_wire(cause, internal=True)["error"]
        body["internal"]["cause"] = _cause_to_wire(cause.__cause__, depth + 1)
        return dict(body)
    foreign = (
        cause
        if isinstance(cause, ForeignCause)
        else ForeignCause.of(cause, keep=StormproofError)
    )
    return {
        "class": foreign.name,
        "message": foreign.text,
        "notes": list(getattr(foreign, "__notes__", ())),
        "cause": _cause_to_wire(foreign.__cause__, depth + 1),
    }


def _from_body(body: Mapping[str, Any], depth: int) -> StormproofError:
    internal = body.get("internal")
    internal = internal if isinstance(internal, Mapping) else {}
    error = _leaf(body, internal.get("fields")) or _stranger(body)
    vars(error).update(_common(body))
    for note in _texts(internal.get("notes")):
        error.add_note(note)
    error.__cause__ = _cause_from_wire(internal.get("cause"), depth + 1)
    return error


def _leaf(body: Mapping[str, Any], fields: object) -> StormproofError | None:
    cls = known_errors().get(str(body.get("code")))
    given = fields if isinstance(fields, Mapping) else body.get("details")
    if cls is None or not isinstance(given, Mapping):
        return None
    try:
        return cls(**decode_fields(cls, given))
    except (Malformed, TypeError):  # a TypeError is the constructor missing a field
        return None


def _stranger(body: Mapping[str, Any]) -> StormproofError:
    """An error whose class this version does not have: the nearest family, told what it is."""
    category = body.get("category")
    known = isinstance(category, str) and category in set(Category)
    error = _FAMILIES[Category(category) if known else Category.EXTERNAL]()
    told = {
        "template": str(body["message"]).replace("{", "{{").replace("}", "}}"),
        "code": body.get("code"),
        "http_status": body.get("status"),
        "retriable": body.get("retriable"),
        "severity": Severity.__members__.get(str(body.get("severity"))),
    }
    kinds = {"template": str, "code": str, "http_status": int, "retriable": bool}
    kinds["severity"] = Severity
    vars(error).update({k: v for k, v in told.items() if isinstance(v, kinds[k])})
    return error


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    common: dict[str, Any] = {}
    wait, request_id = body.get("retry_after"), body.get("request_id")
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0 <= wait <= LONGEST_WAIT:
        common["retry_after"] = wait
    if isinstance(request_id, str):
        common["request_id"] = request_id[:128]
    try:
        raised_at = datetime.fromisoformat(str(body.get("timestamp")))
        common["_raised_at"] = raised_at.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        pass  # without a time that can be read, it happened now
    return common


def _cause_from_wire(document: object, depth: int) -> BaseException | None:
    if not isinstance(document, Mapping) or depth > LONGEST_CHAIN:
        return None
    if "code" in document:
        return _from_body(document, depth) if isinstance(document.get("message"), str) else None
    cause = ForeignCause(str(document.get("class"))[:200], redact(str(document.get("message"))))
    for note in _texts(document.get("notes")):
        cause.add_note(note)
    cause.__cause__ = _cause_from_wire(document.get("cause"), depth + 1)
    return cause


def _texts(value: object) -> list[str]:
    return [redact(str(text)) for text in value[:LONGEST_LIST]] if isinstance(value, list) else []


def _descendants(cls: type[StormproofError]) -> Iterable[type[StormproofError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)
