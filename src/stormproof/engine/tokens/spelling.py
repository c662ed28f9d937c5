"""Which bytes a token stands for.

A vocabulary spells its tokens as printable text. Byte-level vocabularies (GPT-2 and most since)
write each byte as one character of an alphabet of 256; SentencePiece's write a space as "▁" and
single bytes as ``<0xAB>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from tokenizers.decoders import Decoder

Spelling = Callable[[str], bytes]


def spelling_of(decoder: Decoder | None) -> Spelling:
    """How a tokenizer spells, judged by its decoder.

    Raises:
        Unusable: It spells in a way that is not supported.
    """
    kinds = set(_kinds(json.loads(decoder.__getstate__()))) if decoder else set()
    if "ByteLevel" in kinds:
        return byte_level
    if kinds & {"Metaspace", "ByteFallback"}:
        return sentencepiece
    raise Unusable("its tokenizer is neither byte-level nor SentencePiece")


def byte_level(token: str) -> bytes:
    """The bytes of a token in GPT-2's alphabet; of one outside it, its UTF-8."""
    try:
        return bytes(map(_BYTE_OF.__getitem__, token))
    except KeyError:
        return token.encode()


def sentencepiece(token: str) -> bytes:
    """The bytes of a token of SentencePiece."""
    single = _SINGLE_BYTE.fullmatch(token)
    return bytes.fromhex(single[1]) if single else token.replace("▁", " ").encode()


def _alphabet() -> dict[str, int]:
    # Bytes that print stand for themselves, the others for the characters from 256 on, in order.
    printing = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = sorted(set(range(0x100)) - printing)
    return {chr(b): b for b in printing} | {chr(0x100 + n): b for n, b in enumerate(others)}


def _kinds(state: dict[str, Any]) -> Iterator[str]:
    yield state["type"]
    for part in state.get("decoders", ()):
        yield from _kinds(part)


_BYTE_OF: Final = _alphabet()
_SINGLE_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")
