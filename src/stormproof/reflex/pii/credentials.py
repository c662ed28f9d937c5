"""Private keys, signed tokens, and passwords in what programs connect with."""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.examples import is_example
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_PEM: Final = (
    r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-{1,4}[^-])*"
    r"(?:-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----)?"
    r"|\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"
)
_JWT: Final = r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
_URL: Final = r"://[^\s:/@\"'<>]*:[^\s/\"'<>]+@[^\s@\"'<>]"
_PARAMETER: Final = r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey)\s?=\s?[^\s;\"']{3,}"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,24}$")
_LONGEST_SCHEME: Final = 25
_FIELD: Final = re.compile(
    r"\b(?:server|data source|host|endpoint|accountname|dsn|driver|database)\s?=", re.IGNORECASE
)
_FARTHEST_FIELD: Final = 300
_LONGEST_HEADER: Final = 1024


def _pem(text: str, start: int, end: int) -> Iterable[Finding]:
    while text[end - 1].isspace():
        end -= 1
    yield Finding(Kind.PRIVATE_KEY, start, end)


def _jwt(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield what has the header of RFC 7519."""
    head, _, _ = text[start:end].partition(".")
    if len(head) > _LONGEST_HEADER:
        return
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return
    if isinstance(header, dict) and "alg" in header:
        yield Finding(Kind.JWT, start, end)


def _connection(text: str, start: int, end: int) -> Iterable[Finding]:
    if text.startswith("://", start):
        return _in_url(text, start, end)
    return _among_fields(text, start, end)


def _in_url(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``scheme://user:password@host``."""
    scheme = _SCHEME.search(text, max(0, start - _LONGEST_SCHEME), start)
    first, last = text.index(":", start + len("://")) + 1, text.rindex("@", start, end)
    if scheme and not is_example(text[first:last]):
        yield Finding(Kind.CONNECTION_STRING, first, last, scheme[0].lower())


def _among_fields(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``Server=host;Password=secret``."""
    line = text[max(0, start - _FARTHEST_FIELD) : start].rpartition("\n")[2].rstrip()
    first = text.index("=", start) + 1
    first += text[first] == " "
    if line.endswith(";") and _FIELD.search(line) and not is_example(text[first:end]):
        yield Finding(Kind.CONNECTION_STRING, first, end)


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.PRIVATE_KEY}), "PRIVATE KEY|AGE-SECRET-KEY", _PEM, _pem),
    Recogniser(frozenset({Kind.JWT}), r"\beyJ", _JWT, _jwt),
    Recogniser(
        frozenset({Kind.CONNECTION_STRING}),
        r"://[^\s/@]*:[^\s/]*@|(?i)(?:password|pwd|accountkey|sharedaccesskey)\s?=",
        f"{_URL}|{_PARAMETER}",
        _connection,
    ),
)
