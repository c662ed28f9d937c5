"""The transformer of the Llama, Gemma and GPT-2 families.

Llama: Touvron et al., https://arxiv.org/abs/2302.13971: RMSNorm, RoPE, grouped-query attention,
SwiGLU. Qwen2 adds biases to the query, key and value projections, Qwen3 a norm on each query and
key head. Gemma: https://arxiv.org/abs/2403.08295, /2408.00118 (2), /2503.19786 (3): GeGLU, a scaled
embedding, norms after attention and MLP, bounded scores, sliding windows. GPT-2: Radford et al.,
"Language Models are Unsupervised Multitask Learners": LayerNorm, learned positions, a plain MLP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from stormproof.engine.architecture import Activation

if TYPE_CHECKING:
    from stormproof.engine.architecture import ModelConfig

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Attention of one layer, given its number and all rows' queries, keys and values, each
[rows, heads, head_dim]; it returns [rows, heads * head_dim]."""

Turn = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine of the angles by which pairs of dimensions turn. Each [rows, 1, head_dim / 2]"""


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
    """RMSNorm or, with a bias, LayerNorm. Computed in float32, whatever the model's numbers are.

    Attributes:
        weight: Scale of each component, float32. [width]
        bias: Added to each component after the mean was taken away, float32. [width]
        eps: Added to the mean square.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    eps: float

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Normalises the last dimension."""
        wide = rows.float()
        if self.bias is not None:
            wide = wide - wide.mean(-1, keepdim=True)
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        wide = wide * scale * self.weight
        return (wide if self.bias is None else wide + self.bias).to(rows.dtype)


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer; query, key and value, and gate and up, are one projection each."""

    attention_norm: Norm
    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    output: Linear
    post_attention_norm: Norm | None
    mlp_norm: Norm
    gate_up: Linear
    down: Linear
    post_mlp_norm: Norm | None


@dataclass(frozen=True, slots=True)
class Transformer:
    """A model's weights, and the way from tokens to logits.

    Attributes:
        config: The architecture.
        embedding: [vocab, hidden]
        positions: Added to the embedding, where positions are learned. [context, hidden]
        layers: The layers, in order.
        norm: Before the output projection.
        head: The output projection.
        rope_tables: Radians per position. [tables, head_dim / 2]
    """

    config: ModelConfig
    embedding: torch.Tensor
    positions: torch.Tensor | None
    layers: tuple[Layer, ...]
    norm: Norm
    head: Linear
    rope_tables: torch.Tensor

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, attend: Attend) -> torch.Tensor:
        """The residual stream after the last layer.

        Args:
            tokens: [rows]
            positions: Of each token in its sequence. [rows]
            attend: Attention; it also stores the keys and values.

        Returns:
            [rows, hidden]
        """
        rows = self._embed(tokens, positions)
        turns = self._turns(positions, rows.dtype)
        for number, layer in enumerate(self.layers):
            turn = turns[self.config.kind(number).rope] if turns else None
            heads = self._heads(layer, layer.attention_norm(rows), turn)
            rows = rows + _normed(layer.output(attend(number, *heads)), layer.post_attention_norm)
            rows = rows + _normed(self._mlp(layer, layer.mlp_norm(rows)), layer.post_mlp_norm)
        return rows

    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Scores of every next token after some rows of the residual stream, in float32."""
        logits = self.head(self.norm(rows)).float()
        cap = self.config.final_softcap
        return logits.div_(cap).tanh_().mul_(cap) if cap else logits

    def _embed(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        rows = self.embedding[tokens]
        if self.config.embedding_scale != 1.0:
            rows = rows * self.config.embedding_scale
        return rows if self.positions is None else rows + self.positions[positions]

    def _turns(self, positions: torch.Tensor, dtype: torch.dtype) -> list[Turn]:
        """How far each row's pairs of dimensions turn, by each RoPE table."""
        angles = positions[:, None, None].float() * self.rope_tables[:, None, None]
        return list(zip(angles.cos().to(dtype), angles.sin().to(dtype), strict=True))

    def _heads(
        self, layer: Layer, rows: torch.Tensor, turn: Turn | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        heads, kv_heads = self.config.heads, self.config.kv_heads
        projected = layer.qkv(rows).view(len(rows), -1, self.config.head_dim)
        queries, keys, values = torch.split(projected, [heads, kv_heads, kv_heads], 1)
        queries, keys = _normed(queries, layer.query_norm), _normed(keys, layer.key_norm)
        if turn is None:
            return queries, keys, values
        return _rotate(queries, turn), _rotate(keys, turn), values

    def _mlp(self, layer: Layer, rows: torch.Tensor) -> torch.Tensor:
        if not self.config.gated:
            return layer.down(self._activation(layer.gate_up(rows)))
        gate, up = layer.gate_up(rows).chunk(2, -1)
        return layer.down(self._activation(gate) * up)

    def _activation(self, rows: torch.Tensor) -> torch.Tensor:
        match self.config.activation:
            case Activation.SILU:
                return functional.silu(rows)
            case Activation.GELU_TANH:
                return functional.gelu(rows, approximate="tanh")


def _normed(rows: torch.Tensor, norm: Norm | None) -> torch.Tensor:
    return rows if norm is None else norm(rows)


def _rotate(heads: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Turns each pair of dimensions of [rows, heads, head_dim]; they lie half a head apart."""
    cos, sin = turn
    first, second = heads.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
