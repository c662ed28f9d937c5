"""Reads the architecture out of a Hugging Face ``config.json``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.checkpoints import architecture, rope
from stormproof.engine.checkpoints.architecture import Activation, Family, LayerKind, ModelConfig
from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.untrusted import Untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS: Final[Mapping[Family, Mapping[str, Any]]] = {
    Family.GEMMA: {"hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": True},
    Family.GEMMA2: {"sliding_window_pattern": 2, "tie_word_embeddings": True},
    Family.GEMMA3: {
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 131_072,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "rope_theta": 1e6,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
        "vocab_size": 262_208,
    },
    Family.GPT2: {
        "attention_bias": True,
        "hidden_act": "gelu_new",
        "mlp_bias": True,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    },
}
"""What files of a family leave out: `transformers` knows it."""

_GPT2_NAMES: Final = {
    "activation_function": "hidden_act",
    "layer_norm_epsilon": "rms_norm_eps",
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_layer": "num_hidden_layers",
    "n_positions": "max_position_embeddings",
}

_ACTIVATIONS: Final = {
    "silu": Activation.SILU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
}

_SLIDING: Final = "sliding_attention"
_FULL: Final = "full_attention"


def parse_config(
    values: Mapping[str, Any], generation: Mapping[str, Any] | None = None
) -> ModelConfig:
    """The architecture that a configuration describes.

    Args:
        values: What ``config.json`` holds. Of a model that also sees, the part that writes is used.
        generation: What ``generation_config.json`` holds, which may name more ends of a text.

    Raises:
        Unusable: It is incomplete, out of bounds, or describes an unsupported architecture.
    """
    family = _family(Untrusted(values).text("model_type"))
    config = _complete(values, family)
    _refuse_variants(config)
    hidden = config.integer("hidden_size", high=architecture.MAX_HIDDEN)
    heads = config.integer("num_attention_heads", high=architecture.MAX_HEADS)
    head_dim = config.integer("head_dim", hidden // heads, high=architecture.MAX_HEAD_DIM)
    layers = config.integer("num_hidden_layers", high=architecture.MAX_LAYERS)
    attention_bias = config.flag("attention_bias", default=False)
    is_gpt2 = family is Family.GPT2
    return ModelConfig(
        family=family,
        vocab_size=config.integer("vocab_size", high=architecture.MAX_VOCAB),
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        kv_heads=config.integer("num_key_value_heads", heads, high=architecture.MAX_HEADS),
        head_dim=head_dim,
        intermediate_size=config.integer(
            "intermediate_size", 4 * hidden if is_gpt2 else None, high=architecture.MAX_INTERMEDIATE
        ),
        max_context=config.integer("max_position_embeddings", high=architecture.MAX_CONTEXT),
        norm_eps=config.number("rms_norm_eps", 1e-6, high=0.1),
        attention_scale=_attention_scale(config, family, head_dim),
        attention_softcap=_softcap(config, "attn_logit_softcapping"),
        final_softcap=_softcap(config, "final_logit_softcapping"),
        rope_tables=() if is_gpt2 else _rope_tables(config, family, head_dim),
        layer_kinds=_layer_kinds(config, family, layers),
        embedding_scale=math.sqrt(hidden) if family.is_gemma else 1.0,
        activation=_activation(config, family),
        gated=not is_gpt2,
        layer_norm=is_gpt2,
        post_norms=family in (Family.GEMMA2, Family.GEMMA3),
        qk_norm=family in (Family.QWEN3, Family.GEMMA3),
        qkv_bias=attention_bias or family is Family.QWEN2,
        output_bias=attention_bias and family is not Family.QWEN2,
        mlp_bias=config.flag("mlp_bias", default=False),
        tied_embeddings=config.flag("tie_word_embeddings", default=False),
        bos_id=min(config.token_ids("bos_token_id"), default=None),
        eos_ids=config.token_ids("eos_token_id")
        | Untrusted(generation or {}).token_ids("eos_token_id"),
    )


def _family(name: str) -> Family:
    return Family.GEMMA3 if name == "gemma3_text" else Family.named(name)


def _complete(values: Mapping[str, Any], family: Family) -> Untrusted:
    """The configuration with what it leaves out, and under the same names for all families."""
    text = values.get("text_config")
    given = {**values, **text} if isinstance(text, dict) else values
    names = _GPT2_NAMES if family is Family.GPT2 else {}
    stated = {names.get(key, key): value for key, value in given.items() if value is not None}
    return Untrusted({**_DEFAULTS.get(family, {}), **stated})


def _refuse_variants(config: Untrusted) -> None:
    if "quantization_config" in config:
        raise Unusable("its safetensors are quantised; use unquantised ones or a GGUF file")
    if config.number("partial_rotary_factor", 1.0, high=1.0) != 1.0:
        raise Unusable("it turns only part of each head by RoPE")
    if config.flag("use_bidirectional_attention", default=False):
        raise Unusable("its attention looks ahead, so it cannot write")
    by_layer = config.flag("scale_attn_by_inverse_layer_idx", default=False)
    if by_layer or not config.flag("scale_attn_weights", default=True):
        raise Unusable("it scales attention in a way that is not supported")


def _activation(config: Untrusted, family: Family) -> Activation:
    name = config.text("hidden_activation", config.text("hidden_act", "silu"))
    if family.is_gemma and name == "gelu":  # So say its first files, and mean the approximation.
        return Activation.GELU_TANH
    if name not in _ACTIVATIONS:
        supported = ", ".join(_ACTIVATIONS)
        raise Unusable(f"activation {name[:40]!r} is not supported; these are: {supported}")
    return _ACTIVATIONS[name]


def _attention_scale(config: Untrusted, family: Family, head_dim: int) -> float:
    if family not in (Family.GEMMA2, Family.GEMMA3):
        return 1 / math.sqrt(head_dim)
    return 1 / math.sqrt(
        config.number("query_pre_attn_scalar", 256.0, high=architecture.MAX_HIDDEN)
    )


def _softcap(config: Untrusted, key: str) -> float:
    return config.number(key, high=architecture.MAX_SOFTCAP) if key in config else 0.0


def _layer_kinds(config: Untrusted, family: Family, layers: int) -> tuple[LayerKind, ...]:
    names = _layer_types(config, family, layers)
    if not {_FULL, _SLIDING} >= set(names):
        raise Unusable("its layer_types name a kind of attention that is not supported")
    if _SLIDING not in names:
        return (LayerKind(),)
    window = config.integer("sliding_window", high=architecture.MAX_CONTEXT)
    sliding = LayerKind(window, rope=int(family is Family.GEMMA3))
    return tuple(sliding if name == _SLIDING else LayerKind() for name in names)


def _layer_types(config: Untrusted, family: Family, layers: int) -> tuple[str, ...]:
    """What attention the layers have, repeated in this order."""
    if "layer_types" in config:
        names = config.texts("layer_types")
        if len(names) != layers:
            raise Unusable("its layer_types are not one for each layer")
        return names
    match family:
        case Family.MISTRAL if "sliding_window" in config:
            return (_SLIDING,)
        case Family.QWEN2 | Family.QWEN3 if config.flag("use_sliding_window", default=False):
            full = config.integer("max_window_layers", low=0, high=layers)
            return (_FULL,) * full + (_SLIDING,) * (layers - full)
        case Family.GEMMA2 | Family.GEMMA3:
            period = config.integer("sliding_window_pattern", high=architecture.MAX_LAYERS)
            return (_SLIDING,) * (period - 1) + (_FULL,)
        case _:
            return (_FULL,)


def _rope_tables(config: Untrusted, family: Family, head_dim: int) -> tuple[tuple[float, ...], ...]:
    # Transformers 5 writes one "rope_parameters" section, earlier ones "rope_theta" and, where
    # there is any, "rope_scaling". Gemma 3 has two tables, the second for its sliding layers.
    section = config.section("rope_parameters" if "rope_parameters" in config else "rope_scaling")
    theta = config.number("rope_theta", 10_000.0, high=rope.MAX_THETA)
    if family is not Family.GEMMA3:
        return (_rope_table(section, theta, head_dim),)
    near = config.number("rope_local_base_freq", 10_000.0, high=rope.MAX_THETA)
    full = section.section(_FULL) if _FULL in section else section
    return (
        _rope_table(full, theta, head_dim),
        _rope_table(section.section(_SLIDING), near, head_dim),
    )


def _rope_table(section: Untrusted, theta: float, head_dim: int) -> tuple[float, ...]:
    theta = section.number("rope_theta", theta, high=rope.MAX_THETA)
    return rope.scale(rope.frequencies(theta, head_dim), section)
