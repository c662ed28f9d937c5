"""Builds the byte-pair encoding of SentencePiece from the pieces and scores in a GGUF file.

SentencePiece (https://github.com/google/sentencepiece) joins the two neighbours whose joint piece
scores best, until none is in the vocabulary. The `tokenizers` library joins by a list of pairs; the
scores give that list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import tokenizers
from tokenizers import decoders, models, normalizers

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.untrusted import Untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NORMAL: Final = 1
_BYTE: Final = 6

_MOST_WORK: Final = 1 << 28
"""Characters that are looked at for the pairs. Gemma's 262,144 pieces take a tenth of it."""


def sentencepiece_bpe(metadata: Mapping[str, Any], tokens: list[str]) -> tokenizers.Tokenizer:
    """The tokenizer of a file whose ``tokenizer.ggml.model`` is "llama".

    Args:
        metadata: What the file says.
        tokens: The vocabulary, in order.

    Raises:
        Unusable: The scores or kinds of its tokens are missing or do not fit.
    """
    settings = Untrusted(metadata)
    scores, kinds = (
        _numbers(metadata, f"tokenizer.ggml.{name}", len(tokens))
        for name in ("scores", "token_type")
    )
    unknown = settings.token_ids("tokenizer.ggml.unknown_token_id")
    if any(token >= len(tokens) for token in unknown):
        raise Unusable("its unknown token is outside its vocabulary")
    pieces = {
        token: score
        for token, score, kind in zip(tokens, scores, kinds, strict=True)
        if kind == _NORMAL
    }
    model = models.BPE(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=_pairs(pieces),
        unk_token=tokens[min(unknown)] if unknown else None,
        fuse_unk=True,
        byte_fallback=_BYTE in kinds,
    )
    backend = tokenizers.Tokenizer(model)
    spaces = [normalizers.Replace(" ", "▁")]
    prefix = settings.flag("tokenizer.ggml.add_space_prefix", default=True)
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), *spaces] if prefix else spaces
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return backend


def _pairs(pieces: Mapping[str, float]) -> list[tuple[str, str]]:
    """Every two pieces that make a third, the best third first."""
    if sum(len(piece) ** 2 for piece in pieces) > _MOST_WORK:
        raise Unusable("the tokens of its vocabulary are too long")
    ranked = sorted(pieces, key=lambda piece: -pieces[piece])
    return [pair for piece in ranked for pair in _halves(piece, pieces)]


def _halves(piece: str, pieces: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for cut in range(1, len(piece)):
        if piece[:cut] in pieces and piece[cut:] in pieces:
            yield piece[:cut], piece[cut:]


def _numbers(metadata: Mapping[str, Any], key: str, length: int) -> Sequence[float]:
    values = metadata.get(key)
    if not isinstance(values, list) or len(values) != length:
        raise Unusable(f"{key} is missing, or not one number for each token")
    if not all(isinstance(value, int | float) for value in values):
        raise Unusable(f"{key} is not a list of numbers")
    return values
