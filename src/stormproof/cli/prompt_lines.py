"""The lines of a file of prompts, read one at a time, and never more of one than is allowed."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import BinaryIO, Final

from stormproof.errors import InvalidRequest

MAX_LINE_BYTES: Final = 4 << 20
MAX_LINES: Final = 10_000_000
_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class PromptLine:
    """A line that asks for an answer.

    Attributes:
        number: Its place in the file, from 1; empty lines are counted too.
        text: What it says; None if it is longer than ``MAX_LINE_BYTES``.
        digest: Tells it from other lines, and from the same line under another key; never 0.
    """

    number: int
    text: bytes | None
    digest: int


def read_lines(source: BinaryIO, key: bytes) -> Iterator[PromptLine]:
    """Yield the lines of a file that are not empty.

    Args:
        source: Where to read.
        key: What the digests depend on beside the lines; at most 64 bytes.

    Raises:
        InvalidRequest: There are more than ``MAX_LINES``.
    """
    for number in count(1):
        text, digest = _read_line(source, key)
        if not text:
            return
        if number > MAX_LINES:
            raise InvalidRequest(reason=f"a file of prompts has at most {MAX_LINES} lines")
        if len(text) > MAX_LINE_BYTES:
            yield PromptLine(number, None, digest)
        elif text.strip():
            yield PromptLine(number, text.removeprefix(BOM_UTF8).strip(), digest)


def _read_line(source: BinaryIO, key: bytes) -> tuple[bytes, int]:
    """Read a line, but keep only so much of it that it shows whether it is too long."""
    hashed = blake2b(digest_size=8, key=key)
    text = piece = source.readline(MAX_LINE_BYTES + 1)
    while piece:
        # A last line without its end is the same line once others follow it.
        hashed.update(piece.rstrip(b"\r\n"))
        if piece.endswith(b"\n"):
            break
        piece = source.readline(_PIECE)
    return text, int.from_bytes(hashed.digest(), "big") or 1
