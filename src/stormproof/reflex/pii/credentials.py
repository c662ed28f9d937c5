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
_URL: Final = r"://[^\s:/@\"'<>]*:[^\s/@\"'<>]+@[^\s@\"'<>]"
_PARAMETER: Final = r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey)\s?=\s?[^\s;\"']{3,}"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,24}$")
_LONGEST_SCHEME: Final = 25
_FIELD: Final = re.compile(
    r"\b(?:server|data source|host|endpoint|accountname|dsn|driver|database)\s?=", re.IGNORECASE
)
_FARTHEST_FIELD: Final = 300
_AUTHORISATION: Final = (
    r"(?i)\bbearer[ :]{1,2}[A-Za-z0-9._~+/-]{16,}={0,2}"
    r"|\bauthorization\W{1,6}basic [A-Za-z0-9+/]{8,}={0,2}"
)
_WORDS: Final = (
    r"(?i)(?:password|passwd|passwort|passphrase|kennwort|contrase[nñ]a|mot de passe|passcode"
    r"|\bpwd|_pwd)"
)
_NAMED_SIGN: Final = r"(?i)(?:secret|key|token|credential)[a-z_]*(?:\\?[\"'])?\s?[:=]"
_RANDOM: Final = (
    r"(?i)(?:secret|api[_-]?key|access[_-]?key|secret[_-]?key|token|credential)[a-z_]{0,12}"
    r"(?:\\?[\"'])?\s?(?::=|=>|[:=])\s?(?:\\?[\"'])?[A-Za-z0-9_+/=.~-]{20,}"
)
_SIGN: Final = re.compile(r"(?::=|=>|[:=])\s?(?:\\?[\"'])?")
_ASSIGNED: Final = re.compile(
    r"(?:\\?[\"'])?(?:\s?(?::=|=>|[:=])\s?| is (?:now )?)(?:\\?[\"'])?([^\s\"'\\,;<>{}()\[]{1,128})"
)
_SPOKEN: Final = re.compile(r"[^\s\"'<>(){}\[\],;|]+")
_SYMBOLS: Final = frozenset("!@#$%^&*?+=~")
_SHORTEST: Final = 5
_SHORTEST_STRONG: Final = 8
_LONGEST_PASSWORD: Final = 160
_NEAR: Final = 48
_IS_PASSWORD: Final = re.compile(_WORDS)
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


def _connection(text: str, start: int, end: int) -> Iterable[Finding]:
    if text.startswith("://", start):
        return _in_url(text, start, end)
    return _among_fields(text, start, end)


def _in_url(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``scheme://user:password@host``."""
    scheme = _SCHEME.search(text, max(0, start - _LONGEST_SCHEME), start)
    first, last = text.index(":", start + len("://")) + 1, text.rindex("@", start, end)
    if scheme and not _EXAMPLE.search(text[first:last]):
        yield Finding(Kind.CONNECTION_STRING, first, last, scheme[0].lower())


def _among_fields(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield the password of ``Server=host;Password=secret``."""
    line = text[max(0, start - _FARTHEST_FIELD) : start].rpartition("\n")[2].rstrip()
    first = text.index("=", start) + 1
    first += text[first] == " "
    if line.endswith(";") and _FIELD.search(line) and not _EXAMPLE.search(text[first:end]):
        yield Finding(Kind.CONNECTION_STRING, first, end)


def _authorisation(text: str, start: int, end: int) -> Iterable[Finding]:
    while text[end - 1] == ".":
        end -= 1
    value = text[start:end].rpartition(" ")[2].rpartition(":")[2]
    if any(one.isdigit() for one in value) or not (value.islower() or value.istitle()):
        yield Finding(Kind.TOKEN, end - len(value), end)


def _password(text: str, end: int) -> Iterable[Finding]:
    """Yield what is assigned to a name, or a word behind it that nobody speaks.

    Args:
        text: The text.
        end: Where the name has ended.
    """
    if assigned := _ASSIGNED.match(text, end, end + _LONGEST_PASSWORD):
        first, last = assigned.span(1)
        while text[last - 1] in ".!?:" and text[last - 2].isalpha():
            last -= 1
        written, calls = text[first:last], text[last : last + 1] in {"(", "[", "{"}
        long = len(written) >= _SHORTEST
        if long and not calls and not _is_word(written) and not _EXAMPLE.search(written):
            yield Finding(Kind.PASSWORD, first, last)
        return
    line = text[end : end + _NEAR].partition("\n")[0]
    for word in _SPOKEN.finditer(text, end, end + len(line)):
        written = word[0].rstrip(".:")
        if _is_strong(written):
            yield Finding(Kind.PASSWORD, word.start(), word.start() + len(written))
            return


def _is_strong(written: str) -> bool:
    """Return whether this has what passwords are asked to have."""
    return (
        len(written) >= _SHORTEST_STRONG
        and any(one.isdigit() for one in written)
        and any(one.isalpha() for one in written)
        and any(one in _SYMBOLS for one in written)
    )


def _secret(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield what is assigned and looks random."""
    sign = _SIGN.search(text, start, end)
    if not sign or text[end : end + 1] in {"(", "["}:
        return
    value = text[sign.end() : end]
    random = any(one.isdigit() for one in value) and any(one.isalpha() for one in value)
    if random and not _EXAMPLE.search(value):
        yield Finding(Kind.TOKEN, sign.end(), end)


def _is_word(written: str) -> bool:
    """Return whether this may be prose or code: letters, and what joins names."""
    return written.translate(_JOINING).isalpha()


_JOINING: Final = str.maketrans("", "", "._-:/")


def _named(text: str, start: int, end: int) -> Iterable[Finding]:
    first = text[start : start + 5].lower()
    if first in {"beare", "autho"}:
        return _authorisation(text, start, end)
    if _IS_PASSWORD.match(text, start):
        return _password(text, end)
    return _secret(text, start, end)


CERTAIN: Final = (
    Recogniser(frozenset({Kind.PRIVATE_KEY}), "PRIVATE KEY|AGE-SECRET-KEY", _PEM, _pem),
    Recogniser(frozenset({Kind.JWT}), r"\beyJ", _JWT, _jwt),
    Recogniser(
        frozenset({Kind.CONNECTION_STRING}),
        r"://[^\s/@]*:[^\s/@]*@|(?i)(?:password|pwd|accountkey|sharedaccesskey)\s?=",
        f"{_URL}|{_PARAMETER}",
        _connection,
    ),
)
"""What cannot be anything else."""

NAMED: Final = Recogniser(
    frozenset({Kind.TOKEN, Kind.PASSWORD}),
    rf"(?i)\b(?:bearer|basic)[ :]|{_WORDS}|{_NAMED_SIGN}",
    f"{_AUTHORISATION}|{_WORDS}|{_RANDOM}",
    _named,
)
"""What a name before it tells."""
