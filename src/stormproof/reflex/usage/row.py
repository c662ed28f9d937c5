"""What one request took, and the line of a journal that says so."""

from typing import Final

import msgspec
from msgspec import Struct

DAY: Final = 86_400


class UsageRow(Struct, frozen=True, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """What one request took.

    Attributes:
        time: When it ended, in whole seconds since 1970.
        tenant: Whose key it came with.
        key: That key's name; empty without one, as are the next three where there is nobody.
        user: On whose behalf.
        model: Who was asked.
        rung: Who answered.
        outcome: ``answered``, ``cancelled``, or the code of an error.
        attempts: How many calls it took.
        prompt_tokens: Read.
        cached_tokens: Those of them that the provider had kept.
        cache_write_tokens: Those of them that it keeps from now on.
        completion_tokens: Written.
        reasoning_tokens: Those of them that are thoughts.
        cost: In billionths of the money of the prices, so that sums are exact.
    """

    time: int
    tenant: str = ""
    key: str = ""
    user: str = ""
    model: str = ""
    rung: str = ""
    outcome: str = ""
    attempts: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int = 0


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(UsageRow).decode


def line_of(row: UsageRow) -> bytes:
    """Return the line of a row: a JSON array, which databases read by themselves."""
    return _encode(row) + b"\n"


def is_whole(line: bytes) -> bool:
    """Say whether a line is one, and not what a torn write has left."""
    try:
        _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
