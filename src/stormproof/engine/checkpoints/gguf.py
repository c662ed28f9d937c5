"""Reads a model from one GGUF file, as llama.cpp writes them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from stormproof.engine.checkpoints import architecture, rope
from stormproof.engine.checkpoints.architecture import Activation, Family, LayerKind, ModelConfig
from stormproof.engine.checkpoints.gguf_file import GGUFFile
from stormproof.engine.checkpoints.loading import Unusable, loading
from stormproof.engine.checkpoints.untrusted import Untrusted
from stormproof.engine.tokens.gguf_tokenizer import build_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from stormproof.engine.checkpoints.stored_tensor import StoredTensor
    from stormproof.engine.tokens.tokenizer import Tokenizer

_NAMES: Final = {
    "model.embed_tokens": "token_embd",
    "model.embed_positions": "position_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_LAYER_NAMES: Final = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_FOUR_NORMS: Final = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
_FUSED: Final = ("q_proj", "k_proj", "v_proj")
_PERIODS: Final = {Family.GEMMA2: 2, Family.GEMMA3: 6}
"""Of so many layers the last sees everything, the others a sliding window."""

_LAYER_TENSOR: Final = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")


class GGUFCheckpoint:
    """A model in a GGUF file.

    Args:
        path: The file.

    Raises:
        Unusable: It is damaged or of an unsupported kind.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = GGUFFile(path)
        self._config = _config(self._file)

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        return self._config

    @property
    def identity(self) -> tuple[tuple[int, ...], ...]:
        """Of the file, see `Checkpoint`."""
        return (self._file.identity,)

    def tensor(self, name: str) -> StoredTensor:
        """One tensor, see `Checkpoint`."""
        with loading(self._name):
            tensor = self._stored(name)
            heads = self._interleaved_heads(name)
            return _uninterleaved(tensor, heads) if heads else tensor

    def tokenizer(self) -> Tokenizer:
        """The tokenizer, see `Checkpoint`."""
        with loading(self._name):
            return build_tokenizer(self._file.metadata)

    def _stored(self, name: str) -> StoredTensor:
        found = _LAYER_TENSOR.fullmatch(name)
        if found is None:
            part, _, suffix = name.rpartition(".")
            return self._file.tensor(f"{_NAMES[part]}.{suffix}")
        layer, part, suffix = found.groups()
        projection = part.removeprefix("self_attn.")
        if projection in _FUSED and self._config.family is Family.GPT2:
            whole = self._file.tensor(f"blk.{layer}.attn_qkv.{suffix}")
            return whole.part(_FUSED.index(projection), of=len(_FUSED))
        names = _LAYER_NAMES | _FOUR_NORMS if self._config.post_norms else _LAYER_NAMES
        return self._file.tensor(f"blk.{layer}.{names[part]}.{suffix}")

    def _interleaved_heads(self, name: str) -> int:
        """Heads of a projection whose RoPE pairs lie side by side: only Llama's do in GGUF."""
        if self._config.family is not Family.LLAMA:
            return 0
        if ".q_proj." in name:
            return self._config.heads
        return self._config.kv_heads if ".k_proj." in name else 0


def _uninterleaved(tensor: StoredTensor, heads: int) -> StoredTensor:
    pairs = np.arange(tensor.shape[0]).reshape(heads, -1, 2)
    return tensor.reordered(pairs.swapaxes(1, 2).ravel())


def _config(file: GGUFFile) -> ModelConfig:
    name = Untrusted(file.metadata).text("general.architecture")
    family = Family.named(name)
    values = Untrusted(_section(file.metadata, f"{name}."))
    token = Untrusted(_section(file.metadata, "tokenizer.ggml."))
    _refuse_variants(values)
    hidden = values.integer("embedding_length", high=architecture.MAX_HIDDEN)
    heads = values.integer("attention.head_count", high=architecture.MAX_HEADS)
    head_dim = values.integer(
        "attention.key_length", hidden // heads, high=architecture.MAX_HEAD_DIM
    )
    layers = values.integer("block_count", high=architecture.MAX_LAYERS)
    is_gpt2 = family is Family.GPT2
    rms = "" if is_gpt2 else "_rms"
    return ModelConfig(
        family=family,
        vocab_size=_vocab_size(file),
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        kv_heads=values.integer("attention.head_count_kv", heads, high=architecture.MAX_HEADS),
        head_dim=head_dim,
        intermediate_size=values.integer("feed_forward_length", high=architecture.MAX_INTERMEDIATE),
        max_context=values.integer("context_length", high=architecture.MAX_CONTEXT),
        norm_eps=values.number(f"attention.layer_norm{rms}_epsilon", high=0.1),
        attention_scale=attention_scale(family, layers, head_dim, hidden // heads),
        attention_softcap=_softcap(values, "attn_logit_softcapping"),
        final_softcap=_softcap(values, "final_logit_softcapping"),
        rope_tables=() if is_gpt2 else _rope_tables(file, values, family, head_dim),
        layer_kinds=_layer_kinds(values, family),
        embedding_scale=math.sqrt(hidden) if family.is_gemma else 1.0,
        activation=Activation.GELU_TANH if family.is_gemma or is_gpt2 else Activation.SILU,
        gated=not is_gpt2,
        layer_norm=is_gpt2,
        post_norms="blk.0.post_attention_norm.weight" in file.tensors,
        qk_norm="blk.0.attn_q_norm.weight" in file.tensors,
        qkv_bias=is_gpt2 or "blk.0.attn_q.bias" in file.tensors,
        output_bias="blk.0.attn_output.bias" in file.tensors,
        mlp_bias="blk.0.ffn_up.bias" in file.tensors,
        tied_embeddings="output.weight" not in file.tensors,
        bos_id=min(token.token_ids("bos_token_id"), default=None),
        eos_ids=frozenset().union(*map(token.token_ids, ("eos_token_id", "eot_token_id"))),
    )


def _section(metadata: dict[str, object], prefix: str) -> dict[str, object]:
    return {
        key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)
    }


def _refuse_variants(values: Untrusted) -> None:
    if values.integer("expert_count", 0, low=0, high=1 << 16):
        raise Unusable("it is a mixture of experts")


def _vocab_size(file: GGUFFile) -> int:
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        raise Unusable("tensor token_embd.weight is missing")
    if not 1 <= embedding.shape[0] <= architecture.MAX_VOCAB:
        raise Unusable("its vocabulary is too large")
    return embedding.shape[0]


def attention_scale(family: Family, layers: int, head_dim: int, share: int) -> float:
    """The factor of query times key, which the files do not state.

    Of Gemma 2 and 3 the largest model scales by a head's share of the residual stream; like
    llama.cpp, we know it by how many layers it has.

    Args:
        family: The architecture.
        layers: How many it has.
        head_dim: Width of a head.
        share: Width of the residual stream, divided by the heads.
    """
    large = (family, layers) in ((Family.GEMMA2, 46), (Family.GEMMA3, 62))
    return 1 / math.sqrt(share if large else head_dim)


def _softcap(values: Untrusted, key: str) -> float:
    return values.number(key, high=architecture.MAX_SOFTCAP) if key in values else 0.0


def _layer_kinds(values: Untrusted, family: Family) -> tuple[LayerKind, ...]:
    if family not in _PERIODS or "attention.sliding_window" not in values:
        return (LayerKind(),)
    period = values.integer(
        "attention.sliding_window_pattern", _PERIODS[family], high=architecture.MAX_LAYERS
    )
    window = values.integer("attention.sliding_window", high=architecture.MAX_CONTEXT)
    sliding = LayerKind(window, rope=int(family is Family.GEMMA3))
    return (sliding,) * (period - 1) + (LayerKind(),)


def _rope_tables(
    file: GGUFFile, values: Untrusted, family: Family, head_dim: int
) -> tuple[tuple[float, ...], ...]:
    table = _rope_table(file, values, head_dim)
    if family is not Family.GEMMA3:
        return (table,)
    near = values.number("rope.freq_base_swa", 10_000.0, high=rope.MAX_THETA)
    return (table, rope.frequencies(near, head_dim))


def _rope_table(file: GGUFFile, values: Untrusted, head_dim: int) -> tuple[float, ...]:
    if values.integer("rope.dimension_count", head_dim, high=architecture.MAX_HEAD_DIM) != head_dim:
        raise Unusable("it turns only part of each head by RoPE")
    theta = values.number("rope.freq_base", 10_000.0, high=rope.MAX_THETA)
    turns = rope.frequencies(theta, head_dim)
    match values.text("rope.scaling.type", "none"):
        case "none":
            pass
        case "linear":
            factor = values.number("rope.scaling.factor", high=rope.MAX_FACTOR)
            turns = tuple(turn / factor for turn in turns)
        case _:
            raise Unusable("this RoPE scaling is not supported; linear is")
    # Llama 3's scaling comes as one divisor for each pair.
    if "rope_freqs.weight" not in file.tensors:
        return turns
    divisors = file.tensor("rope_freqs.weight").numbers().ravel().tolist()
    if len(divisors) != len(turns) or not all(0 < d <= rope.MAX_FACTOR for d in divisors):
        raise Unusable("its RoPE divisors do not fit its heads")
    return tuple(turn / divisor for turn, divisor in zip(turns, divisors, strict=True))
