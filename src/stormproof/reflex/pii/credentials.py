"""Secrets that show by what stands around them: private keys, tokens, passwords."""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_PEM: Final = (
    r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-{1,4}[^-])*"
    r"(?:-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----)?"
    r"|\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"
)
_JWT: Final = r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
_URL: Final = r"\b[A-Za-z][A-Za-z0-9+.-]{1,24}://[^\s:/@\"'<>]{0,128}:[^\s/@\"'<>]{1,256}@[^\s@\"'<>]"
_PARAMETER: Final = (
    r"(?i)\b(?:server|data source|host|endpoint|accountname|dsn|driver)\s?=[^\r\n]{1,300}?;\s?"
    r"(?:password|pwd|accountkey|sharedaccesskey)\s?=\s?[^\s;\"']{3,256}"
)
_AUTHORISATION: Final = (
    r"(?i)\bbearer[ :]{1,2}[A-Za-z0-9._~+/-]{16,}={0,2}|\bauthorization\W{1,6}basic [A-Za-z0-9+/]{8,}={0,2}"
)
_PASSWORD: Final = (
    r"(?i)(?:password|passwd|passwort|passphrase|kennwort|contrase[nñ]a|mot de passe|pwd|\bpasscode)"
    r"(?:\\?[\"'])?(?:\s?(?::=|=>|[:=])\s?| is (?:now )?)(?:\\?[\"'])?[^\s\"'\\,;<>{}()]{5,128}"
)
_SECRET: Final = (
    r"(?i)(?:secret|api[_-]?key|access[_-]?key|secret[_-]?key|token|credential)[a-z_]{0,12}(?:\\?[\"'])?"
    r"\s?(?::=|=>|[:=])\s?(?:\\?[\"'])?[A-Za-z0-9_+/=.~-]{20,256}"
)
_VALUE: Final = re.compile(r"(?:[:=>]|\bis(?: now)?)\s?(?:\\?[\"'])?([^\s\"']+)$", re.IGNORECASE)
_EXAMPLE: Final = re.compile(r"^[$%<]|^\*+$|x{4}|\.{3}|^(?:your|my|the)[_-]|example", re.IGNORECASE)
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


def _url(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``scheme://user:password@host``."""
    scheme_end = text.index("://", start)
    first = text.index(":", scheme_end + 3) + 1
    last = text.rindex("@", first, end)
    if not _EXAMPLE.search(text[first:last]):
        yield Finding(Kind.CONNECTION_STRING, first, last, text[start:scheme_end].lower())


def _parameter(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``Server=host;Password=secret``."""
    last_field = text.rindex(";", start, end) + 1
    first = text.index("=", last_field) + 1
    first += text[first] == " "
    if not _EXAMPLE.search(text[first:end]):
        yield Finding(Kind.CONNECTION_STRING, first, end)


def _authorisation(text: str, start: int, end: int) -> Iterable[Finding]:
    while text[end - 1] == ".":
        end -= 1
    value = text[start:end].rpartition(" ")[2].rpartition(":")[2]
    if any(one.isdigit() for one in value):
        yield Finding(Kind.TOKEN, end - len(value), end)


def _password(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield what is no word, no name of a variable and no call."""
    while text[end - 1] in ".!?:" and text[end - 2].isalpha():
        end -= 1
    value = _VALUE.search(text, start, end)
    if not value or text[end : end + 1] in {"(", "[", "{"}:
        return
    written = value[1]
    if not _is_word(written) and not _EXAMPLE.search(written):
        yield Finding(Kind.PASSWORD, end - len(written), end)


def _secret(text: str, start: int, end: int) -> Iterable[Finding]:
    value = _VALUE.search(text, start, end)
    if not value or text[end : end + 1] in {"(", "["} or _EXAMPLE.search(value[1]):
        return
    written = value[1]
    if any(one.isdigit() for one in written) and any(one.isalpha() for one in written):
        yield Finding(Kind.TOKEN, end - len(written), end)


def _is_word(written: str) -> bool:
    """Return whether this may be prose or code: letters, and what joins names."""
    return written.translate(_JOINING).isalpha()


_JOINING: Final = str.maketrans("", "", "._-:/")

CERTAIN: Final = (
    Recogniser(frozenset({Kind.PRIVATE_KEY}), _PEM, _pem),
    Recogniser(frozenset({Kind.JWT}), _JWT, _jwt),
    Recogniser(frozenset({Kind.CONNECTION_STRING}), _URL, _url),
    Recogniser(frozenset({Kind.CONNECTION_STRING}), _PARAMETER, _parameter),
)
"""What cannot be anything else."""

NAMED: Final = (
    Recogniser(frozenset({Kind.TOKEN}), _AUTHORISATION, _authorisation),
    Recogniser(frozenset({Kind.PASSWORD}), _PASSWORD, _password),
    Recogniser(frozenset({Kind.TOKEN}), _SECRET, _secret),
)
"""What a name before it tells."""
