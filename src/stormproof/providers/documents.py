"""JSON objects as clients send them, read strictly where we look."""

from typing import Any, TypeVar

import msgspec

from stormproof.errors import InvalidRequest

T = TypeVar("T")


def decoded(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(reason="the body must be a JSON object") from error


def understood(document: dict[str, Any], kind: type[T]) -> T:
    """Return the fields of a document that we look at.

    Args:
        document: As the client sent it.
        kind: What they must be; other fields are somebody else's business.

    Raises:
        InvalidRequest: One is missing, or is not what it must be.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None  # the original may quote the prompt


def _refusal(error: msgspec.ValidationError) -> InvalidRequest:
    """Say which field is wrong, as far as that is told."""
    # Expected `int`, got `str` - at `$.messages[0].name`
    words, _, place = str(error).partition(" - at `$")
    field = place.rstrip("`").lstrip(".") or None
    return InvalidRequest(reason=f"{field}: {words}" if field else words, param=field)
