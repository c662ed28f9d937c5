"""What the tensors of a layer are called, and which shapes they have: see `Checkpoint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stormproof.engine.checkpoints.architecture import ModelConfig


@dataclass(frozen=True, slots=True)
class Projection:
    """A matrix, or several that read the same rows.

    Attributes:
        parts: How many rows each has, by what its tensors' names begin with.
        width: Columns of each.
        biased: Whether each has a bias.
    """

    parts: Mapping[str, int]
    width: int
    biased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTensors:
    """A layer's projections, and what its norms' names begin with; None where there is none."""

    attention_norm: str
    qkv: Projection
    query_norm: str | None
    key_norm: str | None
    output: Projection
    post_attention_norm: str | None
    mlp_norm: str
    up: Projection
    down: Projection
    post_mlp_norm: str | None


def layer_tensors(config: ModelConfig, layer: int) -> LayerTensors:
    """The tensors of a layer, counted from 0."""
    name = f"model.layers.{layer}"
    attention, mlp = f"{name}.self_attn", f"{name}.mlp"
    hidden, inner = config.hidden_size, config.intermediate_size
    wide, narrow = config.heads * config.head_dim, config.kv_heads * config.head_dim
    qkv = {"q_proj": wide, "k_proj": narrow, "v_proj": narrow}
    up = {"gate_proj": inner, "up_proj": inner} if config.gated else {"up_proj": inner}
    after_attention = f"{name}.post_attention_layernorm"
    return LayerTensors(
        attention_norm=f"{name}.input_layernorm",
        qkv=Projection(_within(attention, qkv), hidden, config.qkv_bias),
        query_norm=f"{attention}.q_norm" if config.qk_norm else None,
        key_norm=f"{attention}.k_norm" if config.qk_norm else None,
        output=Projection({f"{attention}.o_proj": hidden}, wide, config.output_bias),
        post_attention_norm=after_attention if config.post_norms else None,
        # The norm before the MLP is called after its place, which another takes in later Gemmas.
        mlp_norm=f"{name}.pre_feedforward_layernorm" if config.post_norms else after_attention,
        up=Projection(_within(mlp, up), hidden, config.mlp_bias),
        down=Projection({f"{mlp}.down_proj": hidden}, inner, config.mlp_bias),
        post_mlp_norm=f"{name}.post_feedforward_layernorm" if config.post_norms else None,
    )


def _within(owner: str, parts: Mapping[str, int]) -> dict[str, int]:
    return {f"{owner}.{part}": rows for part, rows in parts.items()}
