"""What a text is hidden in, how that is noticed, and how it is taken off.

Each disguise is undone in the whole text at once; that makes no text longer, so that the work is
bounded by the text's length.
"""

import binascii
import html
import re
from binascii import a2b_base64, unhexlify
from bisect import bisect_left, bisect_right
from codecs import encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from string import ascii_letters, hexdigits
from sys import maxunicode
from typing import Final, NamedTuple, TypeAlias

from stormproof.reflex.injection.folding import Counting, squeeze

Span: TypeAlias = tuple[int, int]


class Undisguised(NamedTuple):
    """A text as it reads without a disguise.

    Attributes:
        text: The text.
        back: From a part of it to the part of the text before that it was; None if that was in no
            disguise.
        folded: Whether it is, if the text before was.
    """

    text: str
    back: Callable[[Span], Span | None]
    folded: bool = True


_TELLTALES: Final = (
    "ignore", "disregard", "forget", "override", "bypass", "reveal", "repeat", "pretend", "disable",
    "previous", "above", "everything", "system", "hidden", "unrestricted", "without", "yourself",
    "instruction", "instructions", "prompt", "rules", "guidelines", "restrictions", "programming",
    "assistant", "password", "conversation", "message",
)  # fmt: skip
"""Words that few attacks do without, and that nobody writes in rot13 or backwards by chance."""

ENCODED: Final = "|".join(
    (
        r"(?:%[0-9a-f]{2})+",
        r"(?:&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]+);)+",
        r"(?:\\u[0-9a-f]{4}|\\u\{[0-9a-f]{1,6}\}|\\x[0-9a-f]{2})+",
        r"(?:0x)?[0-9a-f]{2}(?:[ :,-]?(?:0x)?[0-9a-f]{2}){11,}",
        r"[01]{8}(?: ?[01]{8}){7,}",
        r"[0-9a-z+/_-]{20,}(?:\r?\n[0-9a-z+/_-]+)*={0,2}",
    )
)
"""What stands for other characters in addresses, pages and programs."""

MARKED_UP: Final = "|".join(
    (
        r"</?(?:a|b|br|code|em|font|i|mark|s|small|span|strong|tt|u|wbr)(?:\s[^<>]*)?/?>",
        r"<!--[^>]*-->",
        r"=\r?\n",
    )
)
"""What stands between words and within, and is not seen where pages and mails are read."""

ROT13: Final = rf"\b(?:{'|'.join(encode(word, 'rot13') for word in _TELLTALES)})\b"
REVERSED: Final = rf"\b(?:{'|'.join(word[::-1] for word in _TELLTALES)})\b"
SPELLED: Final = "|".join(
    (
        r"(?:(?:^|[\s._*|/\\,-]{1,3})[^\s._*|/\\,-]){6,}",
        r"[a-z][0134578@$!|]+[a-z]",
        r"\b[0134578@$!|][a-z]{2,}",
        r"[a-z]{18,}",
        r"[a-z]-\r?\n[a-z]",
        r"[a-z][*~`]{1,3}[a-z]",
        r"(?-i:[a-z]I|\bI[aeiou])",
    )
)
"""Letters apart, digits for letters, words in one, broken or with emphasis within, I for l."""

_SPELLED: Final = re.compile(SPELLED, re.IGNORECASE)
_INVISIBLE: Final = re.compile("[\U000e0020-\U000e007e\U000e0100-\U000e01ef]{4,}")
_INVISIBLE_BYTE: Final = b"\xf3"
"""How the characters from U+C0000 on begin in UTF-8."""

_TAGS: Final = 0xE0000
_SELECTORS: Final = 0xE0100

_ESCAPED: Final = re.compile(r"\\(?:u\{?|x)([0-9a-f]+)\}?", re.IGNORECASE)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What many things have for a name; its digits spell no words in base64."""

_BETWEEN_BYTES: Final = b" :,-"
_OF_BYTES: Final = f"{hexdigits}xX :,-"

_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_HIGH: Final = bytes(range(0x80, 0x100))
_MOST_NOISE: Final = 0.3
"""Which share of bytes may be none of a text's."""

_NOT_UTF8: Final = re.compile(
    rb"[\xc0\xc1\xf5-\xff]|[\xc2-\xf4][^\x80-\xbf]|(?:\A|[\x00-\x7f])[\x80-\xbf]"
)
_BEGINNING: Final = 64
"""Bytes by which nearly everything is known that is no text."""

_ROTATED: Final = str.maketrans(ascii_letters, encode(ascii_letters, "rot13"))
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_NO_LETTERS: Final = b"=:, \r\n"
_PADDING: Final = b"=="


def decoded(text: str, runs: Iterable[Span]) -> Undisguised:
    """Return a text with what its encoded runs stand for; those that stand for no text stay."""
    return _replaced(text, ((run, _decode(text[slice(*run)])) for run in runs))


def unmarked(text: str, marks: Iterable[Span]) -> Undisguised:
    """Return a text without the marks of pages and mails."""
    return _replaced(text, ((mark, _in_place_of(text[slice(*mark)])) for mark in marks))


def revealed(text: str) -> Undisguised | None:
    """Return a text with its invisible letters made visible; None if it has none.

    Tags (U+E0020 and what follows) stand for ASCII, variation selectors for bytes.
    """
    if _INVISIBLE_BYTE not in text.encode("utf-8", "replace"):
        return None
    runs = [run.span() for run in _INVISIBLE.finditer(text)]
    return _replaced(text, ((run, _visible(text[slice(*run)])) for run in runs)) if runs else None


def rotated(text: str, _runs: Iterable[Span]) -> Undisguised:
    """Return a text that was in rot13."""
    return Undisguised(text.translate(_ROTATED), lambda span: span)


def turned(text: str, _runs: Iterable[Span]) -> Undisguised:
    """Return a text that was written backwards."""
    return Undisguised(text[::-1], lambda span: (len(text) - span[1], len(text) - span[0]))


def joined(text: str, _runs: Iterable[Span]) -> Undisguised:
    """Return a text squeezed, of which those parts matter that are spelled out."""
    counting = Counting(text, squeeze)

    def back(span: Span) -> Span | None:
        start, end = counting.back(span)
        return (start, end) if _SPELLED.search(text, start, end + 1) else None

    return Undisguised(squeeze(text), back)


class _Piece(NamedTuple):
    """A part of a text, and what has come into its place."""

    start: int
    end: int
    old_start: int
    old_end: int


def _replaced(text: str, replacements: Iterable[tuple[Span, str | None]]) -> Undisguised:
    """Return a text with others in some places; None leaves what is there."""
    parts: list[str] = []
    pieces: list[_Piece] = []
    length = copied = 0
    folded = True
    for (start, end), replacement in replacements:
        if replacement is not None:
            parts += text[copied:start], replacement
            folded = folded and replacement.isascii()
            begin = length + start - copied
            length, copied = begin + len(replacement), end
            pieces.append(_Piece(begin, length, start, end))
    return Undisguised("".join([*parts, text[copied:]]), partial(_before, pieces), folded)


def _before(pieces: Sequence[_Piece], span: Span) -> Span | None:
    """Return where a part was before pieces were replaced; None if none of it is in one."""
    start, end = span
    first = bisect_right(pieces, start, key=lambda piece: piece.end)
    last = bisect_left(pieces, end, key=lambda piece: piece.start) - 1
    if first > last:
        return None
    one, other = pieces[first], pieces[last]
    return (
        one.old_start + min(0, start - one.start),
        other.old_end + max(0, end - other.end),
    )


def _in_place_of(mark: str) -> str:
    return " " if mark.startswith(("<br", "<!--")) else ""


def _decode(run: str) -> str | None:
    """Return what an encoded run stands for; None if that is no text."""
    if known := _BY_FIRST.get(run[0]):
        return known(run)
    text = _hexadecimal(run) or _binary(run)
    return text if text or _UUID.fullmatch(run) else _base64(run)


def _escape(run: str) -> str:
    if run.count("\\x") * len("\\xff") == len(run):
        return _utf8(run.replace("\\x", ""))
    return _ESCAPED.sub(lambda one: chr(min(int(one[1], 16), maxunicode)), run)


def _utf8(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-8", "replace")


_BY_FIRST: Final[Mapping[str, Callable[[str], str]]] = {
    "&": html.unescape,
    "%": lambda run: _utf8(run.replace("%", "")),
    "\\": _escape,
}
"""What runs stand for, by their first characters; other runs may stand for several things."""


def _hexadecimal(run: str) -> str | None:
    if run.strip(_OF_BYTES):
        return None
    digits = run.encode().translate(None, _BETWEEN_BYTES)
    if b"x" in digits or b"X" in digits:
        digits = digits.replace(b"0x", b"").replace(b"0X", b"")
    try:
        return _text(unhexlify(digits))
    except binascii.Error:
        return None


def _binary(run: str) -> str | None:
    if run.strip("01 "):
        return None
    digits = run.replace(" ", "")
    return _text(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)))


def _base64(run: str) -> str | None:
    """Return what a run stands for, or its end: up to three letters before may be no part of it."""
    letters = run.encode().translate(_STANDARD, _NO_LETTERS)
    for skipped in range(4):
        part = letters[skipped:]
        text = _text(a2b_base64(part[:-1] if len(part) % 4 == 1 else part + _PADDING))
        if text is not None:
            return text
    return None


def _text(raw: bytes) -> str | None:
    """Return what bytes say, in ASCII with some noise, UTF-8 or UTF-16; None if nothing."""
    if 0 in raw:
        raw = raw.replace(b"\0", b"")
    most = len(raw) * _MOST_NOISE
    if len(raw.translate(None, _PRINTABLE)) <= most:
        return raw.decode("utf-8", "replace")
    if _NOT_UTF8.search(raw, 0, _BEGINNING):
        return None
    if len(raw.translate(None, _PRINTABLE + _HIGH)) > most:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _visible(run: str) -> str:
    """Return what invisible characters stand for, apart from what is around them."""
    codes = (ord(one) for one in run)
    raw = bytes(code - _TAGS if code < _SELECTORS else code - _SELECTORS + 16 for code in codes)
    return f" {raw.decode('utf-8', 'replace')} "
