"""The transformer of the Llama family: RMSNorm, RoPE, grouped-query attention, SwiGLU.

Llama: Touvron et al., https://arxiv.org/abs/2302.13971. Qwen2 adds biases to the query, key and
value projections, Qwen3 a norm on each query and key head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from stormproof.engine.architecture import ModelConfig

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Attention of one layer, given its number and all rows' queries, keys and values, each
[rows, heads, head_dim]; it returns [rows, heads * head_dim]."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A projection.

    Attributes:
        weight: [out, in]
        bias: [out]
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Projects rows of width ``in`` to ``out``."""
        return functional.linear(rows, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class Norm:
    """Divides a vector by its root mean square. Computed in float32, whatever the weights are.

    Attributes:
        weight: Scale of each component. [width]
        eps: Added to the mean square.
    """

    weight: torch.Tensor
    eps: float

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Normalises the last dimension."""
        wide = rows.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * (wide * scale).to(rows.dtype)


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer; query, key and value, and gate and up, are one projection each."""

    attention_norm: Norm
    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    output: Linear
    mlp_norm: Norm
    gate_up: Linear
    down: Linear


@dataclass(frozen=True, slots=True)
class Transformer:
    """A model's weights, and the way from tokens to logits.

    Attributes:
        config: The architecture.
        embedding: [vocab, hidden]
        layers: The layers, in order.
        norm: Before the output projection.
        head: The output projection.
        rope_frequencies: Radians per position. [head_dim / 2]
    """

    config: ModelConfig
    embedding: torch.Tensor
    layers: tuple[Layer, ...]
    norm: Norm
    head: Linear
    rope_frequencies: torch.Tensor

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, attend: Attend) -> torch.Tensor:
        """The residual stream after the last layer.

        Args:
            tokens: [rows]
            positions: Of each token in its sequence. [rows]
            attend: Attention; it also stores the keys and values.

        Returns:
            [rows, hidden]
        """
        rows = self.embedding[tokens]
        angles = positions[:, None].float() * self.rope_frequencies
        turn = (angles.cos()[:, None].to(rows.dtype), angles.sin()[:, None].to(rows.dtype))
        for number, layer in enumerate(self.layers):
            queries, keys, values = self._project(layer, layer.attention_norm(rows), turn)
            rows = rows + layer.output(attend(number, queries, keys, values))
            gate, up = layer.gate_up(layer.mlp_norm(rows)).chunk(2, -1)
            rows = rows + layer.down(functional.silu(gate) * up)
        return rows

    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Scores of every next token after some rows of the residual stream, in float32."""
        return self.head(self.norm(rows)).float()

    def _project(
        self, layer: Layer, rows: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        heads, kv_heads = self.config.heads, self.config.kv_heads
        projected = layer.qkv(rows).view(len(rows), -1, self.config.head_dim)
        queries, keys, values = torch.split(projected, [heads, kv_heads, kv_heads], 1)
        if layer.query_norm is not None:
            queries = layer.query_norm(queries)
        if layer.key_norm is not None:
            keys = layer.key_norm(keys)
        return _rotate(queries, turn), _rotate(keys, turn), values


def _rotate(heads: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turns each pair of dimensions of [rows, heads, head_dim]; they lie half a head apart."""
    cos, sin = turn
    first, second = heads.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
