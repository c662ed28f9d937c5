"""Reads the architecture out of a Hugging Face ``config.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stormproof.engine import architecture, rope
from stormproof.engine.architecture import Family, ModelConfig
from stormproof.engine.loading import Unusable
from stormproof.engine.untrusted import Untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_config(
    values: Mapping[str, Any], generation: Mapping[str, Any] | None = None
) -> ModelConfig:
    """The architecture that a configuration describes.

    Args:
        values: What ``config.json`` holds.
        generation: What ``generation_config.json`` holds, which may name more ends of a text.

    Raises:
        Unusable: It is incomplete, out of bounds, or describes an unsupported architecture.
    """
    config = Untrusted(values)
    family = Family.named(config.text("model_type"))
    _refuse_variants(config)
    hidden = config.integer("hidden_size", high=architecture.MAX_HIDDEN)
    heads = config.integer("num_attention_heads", high=architecture.MAX_HEADS)
    head_dim = config.integer("head_dim", hidden // heads, high=architecture.MAX_HEAD_DIM)
    attention_bias = config.flag("attention_bias", default=False)
    return ModelConfig(
        family=family,
        vocab_size=config.integer("vocab_size", high=architecture.MAX_VOCAB),
        hidden_size=hidden,
        layers=config.integer("num_hidden_layers", high=architecture.MAX_LAYERS),
        heads=heads,
        kv_heads=config.integer("num_key_value_heads", heads, high=architecture.MAX_HEADS),
        head_dim=head_dim,
        intermediate_size=config.integer("intermediate_size", high=architecture.MAX_INTERMEDIATE),
        max_context=_max_context(config),
        rope_frequencies=_rope_frequencies(config, head_dim),
        rms_eps=config.number("rms_norm_eps", 1e-6, high=0.1),
        tied_embeddings=config.flag("tie_word_embeddings", default=False),
        qk_norm=family is Family.QWEN3,
        qkv_bias=attention_bias or family is Family.QWEN2,
        output_bias=attention_bias and family is not Family.QWEN2,
        mlp_bias=config.flag("mlp_bias", default=False),
        bos_id=min(config.token_ids("bos_token_id"), default=None),
        eos_ids=config.token_ids("eos_token_id")
        | Untrusted(generation or {}).token_ids("eos_token_id"),
    )


def _refuse_variants(config: Untrusted) -> None:
    if config.text("hidden_act", "silu") != "silu":
        raise Unusable("its MLP is not gated by SiLU")
    if "quantization_config" in config:
        raise Unusable("its safetensors are quantised; use unquantised ones or a GGUF file")
    if config.number("partial_rotary_factor", 1.0, high=1.0) != 1.0:
        raise Unusable("it turns only part of each head by RoPE")


def _max_context(config: Untrusted) -> int:
    context = config.integer("max_position_embeddings", high=architecture.MAX_CONTEXT)
    # Attention here is full. Within the window a sliding layer sees everything too, so up to
    # there the model is exact; beyond it, it would be another model.
    slides = config.flag("use_sliding_window", default=True)
    if slides and "sliding_window" in config:
        window = config.integer("sliding_window", high=architecture.MAX_CONTEXT)
        return min(context, window)
    return context


def _rope_frequencies(config: Untrusted, head_dim: int) -> tuple[float, ...]:
    # Transformers 5 writes one "rope_parameters" section, earlier ones "rope_theta" and, where
    # there is any, "rope_scaling".
    section = config.section("rope_parameters" if "rope_parameters" in config else "rope_scaling")
    theta = config.number("rope_theta", 10_000.0, high=rope.MAX_THETA)
    theta = section.number("rope_theta", theta, high=rope.MAX_THETA)
    return rope.scale(rope.frequencies(theta, head_dim), section)
