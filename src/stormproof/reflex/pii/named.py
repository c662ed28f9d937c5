"""Secrets that a name before them tells: passwords, tokens, what authorises a request."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from stormproof.reflex.pii.context import cells_below
from stormproof.reflex.pii.examples import is_example, is_word
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_AUTHORISATION: Final = (
    r"(?i)\bbearer[ :]{1,2}[A-Za-z0-9._~+/-]{16,}={0,2}"
    r"|\bauthorization\W{1,6}basic [A-Za-z0-9+/]{8,}={0,2}"
)
_WORDS: Final = (
    r"(?i)(?:password|passwd|passwort|passphrase|kennwort|contrase[nñ]a|mot de passe|passcode"
    r"|\bpwd|_pwd)"
)
_ASSIGNMENT_SIGN: Final = r"(?i)(?:secret|key|token|credential)[a-z_]*(?:\\?[\"'])?\s?[:=]"
_ASSIGNMENT: Final = (
    r"(?i)(?:secret|api[_-]?key|access[_-]?key|secret[_-]?key|token|credential)[a-z_]{0,12}"
    r"(?:\\?[\"'])?\s?(?::=|=>|[:=])\s?(?:\\?[\"'])?[A-Za-z0-9_+/=.~-]{20,}"
)
_IS_PASSWORD: Final = re.compile(_WORDS)
_SIGN: Final = re.compile(r"(?::=|=>|[:=])\s?(?:\\?[\"'])?")
_ASSIGNED: Final = re.compile(
    r"(?:\\?[\"'])?(?:\s?(?::=|=>|[:=])\s?| is (?:now )?)(?:\\?[\"'])?([^\s\"'\\,;<>{}()\[]{1,128})"
)
_LONGEST: Final = 160
_SPOKEN: Final = re.compile(r"[^\s\"'<>(){}\[\],;|]+")
_NO_SPACE: Final = re.compile(r"\S+")
_NEAR: Final = 48
_SYMBOLS: Final = frozenset("!@#$%^&*?+=~")
_SHORTEST: Final = 5
_SHORTEST_STRONG: Final = 8


def _named(text: str, start: int, end: int) -> Iterable[Finding]:
    if text[start : start + len("bear")].lower() in {"bear", "auth"}:
        return _authorisation(text, start, end)
    if _IS_PASSWORD.match(text, start):
        return _password(text, end)
    return _token(text, start, end)


def _authorisation(text: str, start: int, end: int) -> Iterator[Finding]:
    while text[end - 1] == ".":
        end -= 1
    value = text[start:end].rpartition(" ")[2].rpartition(":")[2]
    if any(one.isdigit() for one in value) or not (value.islower() or value.istitle()):
        yield Finding(Kind.TOKEN, end - len(value), end)


def _token(text: str, start: int, end: int) -> Iterator[Finding]:
    """Yield what is assigned and looks random."""
    sign = _SIGN.search(text, start, end)
    if not sign or text[end : end + 1] in {"(", "["}:
        return
    value = text[sign.end() : end]
    random = any(one.isdigit() for one in value) and any(one.isalpha() for one in value)
    if random and not is_example(value):
        yield Finding(Kind.TOKEN, sign.end(), end)


def _password(text: str, end: int) -> Iterable[Finding]:
    """Return what is a password by the name that has ended in a place."""
    if assigned := _ASSIGNED.match(text, end, end + _LONGEST):
        return _assigned(text, *assigned.span(1))
    return list(_spoken(text, end)) or _in_column(text, end)


def _assigned(text: str, start: int, end: int) -> Iterator[Finding]:
    """Yield what is no word, no name of a variable and no call."""
    while text[end - 1] in ".!?:" and text[end - 2].isalpha():
        end -= 1
    written, called = text[start:end], text[end : end + 1] in {"(", "[", "{"}
    if not called and _may_be_password(written):
        yield Finding(Kind.PASSWORD, start, end)


def _spoken(text: str, place: int) -> Iterator[Finding]:
    """Yield the first of the next words that nobody speaks."""
    line = text[place : place + _NEAR].partition("\n")[0]
    for word in _SPOKEN.finditer(text, place, place + len(line)):
        written = word[0].rstrip(".:")
        if _is_strong(written):
            yield Finding(Kind.PASSWORD, word.start(), word.start() + len(written))
            return


def _in_column(text: str, place: int) -> Iterator[Finding]:
    for start, end in cells_below(text, place):
        if _NO_SPACE.fullmatch(text, start, end) and _may_be_password(text[start:end]):
            yield Finding(Kind.PASSWORD, start, end)


def _may_be_password(written: str) -> bool:
    return len(written) >= _SHORTEST and not is_word(written) and not is_example(written)


def _is_strong(written: str) -> bool:
    """Return whether this has what passwords are asked to have."""
    return (
        len(written) >= _SHORTEST_STRONG
        and any(one.isdigit() for one in written)
        and any(one.isalpha() for one in written)
        and any(one in _SYMBOLS for one in written)
    )


RECOGNISER: Final = Recogniser(
    frozenset({Kind.TOKEN, Kind.PASSWORD}),
    rf"(?i)\b(?:bearer|basic)[ :]|{_WORDS}|{_ASSIGNMENT_SIGN}",
    f"{_AUTHORISATION}|{_WORDS}|{_ASSIGNMENT}",
    _named,
)
