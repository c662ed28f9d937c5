"""Reading an error from a document that nobody vouches for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from stormproof.errors.causes import link
from stormproof.errors.client_errors import ClientError
from stormproof.errors.external_errors import ExternalError, ProtocolError
from stormproof.errors.field_types import Malformed, decode_fields
from stormproof.errors.foreign_cause import ForeignCause
from stormproof.errors.jsonable import LONGEST_LIST, jsonable
from stormproof.errors.platform_errors import PlatformError
from stormproof.errors.redaction import redact
from stormproof.errors.resource_errors import ResourceError
from stormproof.errors.retry_after import LONGEST_WAIT
from stormproof.errors.root import StormproofError, is_code
from stormproof.errors.taxonomy import Severity
from stormproof.errors.tree import known_errors

_FAMILIES: Final[Mapping[object, type[StormproofError]]] = {
    family.category.value: family
    for family in (ClientError, ResourceError, PlatformError, ExternalError)
}

_LONGEST_ID: Final = 128
_LONGEST_NAME: Final = 200
_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def from_wire(document: object) -> StormproofError:
    """Return the error that a document carries; the inverse of ``to_wire``.

    A code that this version does not know comes back as its family, with the code, status,
    message, details and retriability that the document states.

    Args:
        document: A decoded JSON document from anywhere; it is not trusted.

    Raises:
        ProtocolError: The document is not an error document.
    """
    body = document.get("error") if isinstance(document, Mapping) else None
    if not _is_body(body):
        raise ProtocolError(reason="not an error document")
    error = _from_body(body)
    link(error, _causes(_mapping(body.get("internal")).get("causes")))
    return error


def _is_body(body: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(body, Mapping) and isinstance(body.get("message"), str)


def _from_body(body: Mapping[str, Any]) -> StormproofError:
    internal = _mapping(body.get("internal"))
    error = _leaf(body, internal.get("fields")) or _stranger(body)
    vars(error).update(_common(body))
    _add_notes(error, internal.get("notes"))
    return error


def _leaf(body: Mapping[str, Any], fields: object) -> StormproofError | None:
    code = body.get("code")
    cls = known_errors().get(code) if isinstance(code, str) else None
    given = fields if isinstance(fields, Mapping) else _mapping(body.get("details"))
    if cls is None:
        return None
    try:
        return cls(**decode_fields(cls, given))
    except (Malformed, TypeError):  # a TypeError is the constructor missing a field
        return None


def _stranger(body: Mapping[str, Any]) -> StormproofError:
    """An error whose class this version does not have: the nearest family, told what it is."""
    category = body.get("category")
    family = _FAMILIES.get(category) if isinstance(category, str) else None
    error = (family or ExternalError)()
    vars(error).update(_told(body))
    return error


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "template": redact(body["message"]).replace("{", "{{").replace("}", "}}"),
        "_told": jsonable(_mapping(body.get("details"))),
    }
    code, status = body.get("code"), body.get("status")
    retriable, severity = body.get("retriable"), body.get("severity")
    if isinstance(code, str) and is_code(code):
        told["code"] = code
    if type(status) is int and 400 <= status <= 599:  # noqa: PLR2004 - the statuses that say failure
        told["http_status"] = status
    if isinstance(retriable, bool):
        told["retriable"] = retriable
    if isinstance(severity, str) and severity in Severity.__members__:
        told["severity"] = Severity[severity]
    return told


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    common = {
        "retry_after": _wait(body.get("retry_after")),
        "request_id": _request_id(body.get("request_id")),
        "_raised_at": _moment(body.get("timestamp")),
    }
    return {name: value for name, value in common.items() if value is not None}


def _wait(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        return None
    return min(value, LONGEST_WAIT)


def _request_id(value: object) -> str | None:
    # It goes back out in a header, where a line break would start another one.
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value[:_LONGEST_ID]
    return None


def _moment(value: object) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds if 0 <= seconds < _END_OF_TIME else None


def _causes(documents: object) -> Iterator[BaseException]:
    for document in _listed(documents):
        if not _is_body(document):
            return
        yield _from_body(document) if "code" in document else _foreign(document)


def _foreign(document: Mapping[str, Any]) -> ForeignCause:
    name = document.get("class")
    cause = ForeignCause(
        redact(name)[:_LONGEST_NAME] if isinstance(name, str) else "an unknown class",
        redact(document["message"]),
    )
    _add_notes(cause, document.get("notes"))
    return cause


def _add_notes(error: BaseException, notes: object) -> None:
    for note in _listed(notes):
        if isinstance(note, str):
            error.add_note(redact(note))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> Sequence[Any]:
    return value[:LONGEST_LIST] if isinstance(value, list) else ()
