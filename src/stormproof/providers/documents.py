"""JSON objects as clients send them, read strictly where we look."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from stormproof.errors import InvalidRequest

T = TypeVar("T")

_VALUE: Final = re.compile(r"(?<=value) ['\"].*", re.DOTALL)

_DEEPEST: Final = 128
"""Levels. The stack ends at about a thousand, and how much of it is left differs from place to
place: what could be read there could perhaps not be written here."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode

Text: TypeAlias = str | list[int]
"""A text, or its tokens."""

_Token: TypeAlias = Annotated[int, Meta(ge=0, lt=2**31)]
_Tokens: TypeAlias = Annotated[list[_Token], Meta(min_length=1)]
Input: TypeAlias = str | Annotated[list[str | _Token | _Tokens], Meta(min_length=1)]
"""One or several texts, in every form in which clients send them; see `listed`."""


def parsed(text: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        msgspec.DecodeError: It is none.
        UnicodeError: It is no text.
        RecursionError: It is nested so deeply that somebody may not be able to write it again.
    """
    document = _decode(text)
    if text.count(b"{") + text.count(b"[") > _DEEPEST:  # which few have
        _check_depth(document)
    return document


def decoded(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        InvalidRequest: It is none, or is nested too deeply.
    """
    try:
        return parsed(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequest(reason="the body must be a JSON object") from error
    except RecursionError as error:
        reason = f"the body must not be nested deeper than {_DEEPEST} levels"
        raise InvalidRequest(reason=reason) from error


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


def listed(given: str | Sequence[str | int | list[int]], field: str, most: int) -> list[Text]:
    """Return one or several texts, whichever way they were given, as a list of them.

    Args:
        given: A text, its tokens, or many of either kind.
        field: Where they stand.
        most: How many there may be.

    Raises:
        InvalidRequest: They are too many, or of several kinds.
    """
    if isinstance(given, str):
        return [given]
    tokens = [one for one in given if isinstance(one, int)]
    if len(tokens) == len(given):
        return [tokens]
    if len(given) > most:
        reason = f"{field}: there are {len(given)} texts; at most {most} are accepted"
        raise InvalidRequest(reason=reason, param=field)
    texts: list[Text] = [one for one in given if not isinstance(one, int)]
    if tokens or len({type(text) for text in texts}) > 1:
        raise InvalidRequest(reason=f"{field}: must be all texts, or all tokens", param=field)
    return texts


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for values in inside for one in values if isinstance(one, dict | list)]
        if not level:
            return
    raise RecursionError


def _refusal(error: msgspec.ValidationError) -> InvalidRequest:
    """Say which field is wrong, as far as that is told, and never its value: it may be a prompt."""
    # Expected `int`, got `str` - at `$.messages[0].name`, Invalid enum value 'x' - at `$.role`
    told = str(error)
    words, found, place = told.rpartition(" - at `$")
    if not found:
        words, place = told, ""
    words = _VALUE.sub("", words)
    field = place.rstrip("`").lstrip(".") or None
    return InvalidRequest(reason=f"{field}: {words}" if field else words, param=field)
