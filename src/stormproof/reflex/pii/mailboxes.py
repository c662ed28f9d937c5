"""Addresses of mailboxes, in letters of any script (RFC 6531)."""

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser
from stormproof.reflex.pii.scripts import is_of_word, joins

_LETTERS: Final = r"A-Za-z\xc0-\xff"
_ATOM: Final = rf"[{_LETTERS}0-9%+_'-]+"
_LABEL: Final = rf"[{_LETTERS}0-9](?:[{_LETTERS}0-9\xb7-]*[{_LETTERS}0-9])?"
_TOP: Final = rf"(?:[Xx][Nn]--[A-Za-z0-9-]*[A-Za-z0-9]|[{_LETTERS}]{{2,24}})"
_LATIN: Final = rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_TOP}"
_LATIN_SIGN: Final = rf"[{_LETTERS}0-9_+-]@[{_LETTERS}0-9]"

_ANY_ATOM: Final = rf"[?{_LETTERS}0-9%+_'-]+"
_ANY_LABEL: Final = rf"[?{_LETTERS}0-9](?:[?{_LETTERS}0-9\xb7-]*[?{_LETTERS}0-9])?"
_ANY: Final = rf"{_ANY_ATOM}(?:\.{_ANY_ATOM})*@(?:{_ANY_LABEL}\.)+?[?{_LETTERS}]{{2}}"
"""What is not in Latin-1 is a question mark to RE2. So this tells where to look, and no more: it
ends before another address may begin."""

_ANY_SIGN: Final = rf"\?[{_LETTERS}0-9.%+_'-]*@|@[{_LETTERS}0-9.\xb7-]*\?"
_MARKS: Final = frozenset(".%+'-")
_LETTER: Final = "[^.%+'_-]"
_DOMAIN: Final = re.compile(
    rf"(?:{_LETTER}(?:[^.%+'_]*{_LETTER})?\.)+(?:{_TOP}|[^.%+'_0-9-]{{2,24}})"
)
_LATIN_TAIL: Final = re.compile(r"([^\x00-\x7f])[A-Za-z0-9][\x00-\x7f]*\Z")
_LONGEST_LOCAL: Final = 64
_LONGEST_DOMAIN: Final = 253
_BESIDE: Final = "'-."
_FILES: Final = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "git"}
)


def _mailbox(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield an address of a person; not a file's name, nor what Git calls a repository."""
    while text[start] in _BESIDE:
        start += 1
    local, _, domain = text[start:end].partition("@")
    if not 0 < len(local) <= _LONGEST_LOCAL or len(domain) > _LONGEST_DOMAIN:
        return
    suffix = domain.rpartition(".")[2].lower()
    repository = text.startswith("git@", start) and text[end : end + 1] in {":", "/"}
    if suffix not in _FILES and not repository:
        yield Finding(Kind.EMAIL, start, end)


def _international(text: str, start: int, end: int) -> Iterable[Finding]:
    """Return an address that is not in Latin letters alone; those are found as what they are."""
    if text[start:end].isascii():
        return ()
    at = text.index("@", start, end)
    local = _run(reversed(text[max(start, at - _LONGEST_LOCAL) : at]))[::-1]
    domain = _DOMAIN.match(_run(text[at + 1 : at + 1 + _LONGEST_DOMAIN]))
    if not domain or (domain[0].isascii() and _goes_over(local)):
        return ()
    return _mailbox(text, at - len(local), at + 1 + domain.end())


def _run(characters: Iterable[str]) -> str:
    """Return the characters up to the first that is in no address."""
    return "".join(takewhile(lambda one: one in _MARKS or is_of_word(one), characters))


def _goes_over(local: str) -> bool:
    """Return whether prose of a script without spaces goes over into a Latin name."""
    tail = _LATIN_TAIL.search(local)
    return tail is not None and not joins(tail[1])


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.EMAIL}), _ANY_SIGN, _ANY, _international),
    Recogniser(frozenset({Kind.EMAIL}), _LATIN_SIGN, _LATIN, _mailbox),
)
