"""Builds a tokenizer from the metadata of a GGUF file.

Of a byte-level BPE the file holds the vocabulary and the merges, but of how text is cut into words
before merging only a name (``tokenizer.ggml.pre``). The patterns behind the names are those of the
models' own tokenizers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.untrusted import Untrusted
from stormproof.engine.tokens.gguf_sentencepiece import sentencepiece_bpe
from stormproof.engine.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers.pre_tokenizers import PreTokenizer

_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3: Final = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_REST}"
)
_QWEN2: Final = _LLAMA3.replace("{1,3}", "")
_TEKKEN: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    rf"|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_REST}"
)


class _Kind(IntEnum):
    """What ``tokenizer.ggml.token_type`` says of a token, as far as it matters."""

    CONTROL = 3
    USER_DEFINED = 4


def build_tokenizer(metadata: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that the metadata of a GGUF file describes.

    Raises:
        Unusable: It is incomplete, damaged or of an unsupported kind.
    """
    settings = Untrusted(metadata)
    tokens = _texts(metadata, "tokenizer.ggml.tokens")
    splitter = settings.text("tokenizer.ggml.pre", "gpt-2")
    begins = splitter in _LLAMA3_NAMES
    match settings.text("tokenizer.ggml.model"):
        case "gpt2":
            merges = _texts(metadata, "tokenizer.ggml.merges")
            backend = _byte_level_bpe(tokens, merges, splitter)
        case "llama":
            backend = sentencepiece_bpe(metadata, tokens)
            begins = True
        case _:
            raise Unusable("its tokenizer is neither a byte-level BPE nor SentencePiece's")
    backend.add_special_tokens(_added(metadata, tokens, _Kind.CONTROL))
    backend.add_tokens(_added(metadata, tokens, _Kind.USER_DEFINED))
    names = _special_names(settings, tokens)
    adds_bos = settings.flag("tokenizer.ggml.add_bos_token", default=begins)
    if adds_bos and "bos_token" in names:
        backend.post_processor = _begin_with(names["bos_token"], backend)
    return Tokenizer(
        backend,
        eos_ids=settings.token_ids("tokenizer.ggml.eos_token_id")
        | settings.token_ids("tokenizer.ggml.eot_token_id"),
        template=settings.text("tokenizer.chat_template", "") or None,
        names=names,
    )


def _byte_level_bpe(tokens: list[str], merges: list[str], splitter: str) -> tokenizers.Tokenizer:
    pairs = [merge.partition(" ") for merge in merges]
    # Llama 3 has whole words in its vocabulary that no merges lead to.
    model = models.BPE(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[(left, right) for left, _, right in pairs],
        ignore_merges=splitter in _LLAMA3_NAMES,
    )
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizer(splitter)
    backend.decoder = decoders.ByteLevel()
    if splitter in _QWEN2_NAMES:
        backend.normalizer = normalizers.NFC()
    return backend


_LLAMA3_NAMES: Final = frozenset({"llama-bpe", "llama3", "llama-v3"})
_QWEN2_NAMES: Final = frozenset({"qwen2", "deepseek-r1-qwen"})


def pre_tokenizer(name: str) -> PreTokenizer:
    """What cuts text into words, by the name that GGUF files give it.

    Raises:
        Unusable: The name is not known.
    """
    if name in _LLAMA3_NAMES:
        return _split_by(_LLAMA3)
    if name in _QWEN2_NAMES:
        return _split_by(_QWEN2)
    match name:
        case "gpt-2" | "default":
            return pre_tokenizers.ByteLevel(add_prefix_space=False)
        case "smollm":
            digits = pre_tokenizers.Digits(individual_digits=True)
            words = pre_tokenizers.ByteLevel(add_prefix_space=False)
            return pre_tokenizers.Sequence([digits, words])
        case "tekken":
            return _split_by(_TEKKEN)
        case _:
            raise Unusable(f"its tokenizer cuts words in a way that is not known: {name[:40]!r}")


def _split_by(pattern: str) -> PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _added(metadata: Mapping[str, Any], tokens: list[str], kind: _Kind) -> list[AddedToken]:
    kinds = metadata.get("tokenizer.ggml.token_type") or []
    return [
        AddedToken(token, normalized=False, special=kind is _Kind.CONTROL)
        for token, its_kind in zip(tokens, kinds, strict=False)
        if its_kind == kind and token
    ]


def _special_names(settings: Untrusted, tokens: list[str]) -> dict[str, str]:
    names = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    ids = {
        name: settings.token_ids(f"tokenizer.ggml.{key}_token_id") for name, key in names.items()
    }
    return {name: tokens[id_] for name, found in ids.items() for id_ in found}


def _begin_with(token: str, backend: tokenizers.Tokenizer) -> processors.PostProcessor:
    number = backend.token_to_id(token)
    return processors.TemplateProcessing(
        single=[token, "$A"], pair=[token, "$A", "$B"], special_tokens=[(token, number)]
    )


def _texts(metadata: Mapping[str, Any], key: str) -> list[str]:
    values = metadata.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Unusable(f"{key} is missing, or not a list of texts")
    return values
