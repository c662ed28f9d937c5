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

from stormproof.engine.pytorch.operations import Operations, TorchOperations, Turn, activate
from stormproof.engine.pytorch.shard import WHOLE, Shard

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.architecture import ModelConfig

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
    """RMSNorm or, with a bias, LayerNorm.

    Attributes:
        weight: Scale of each component, float32. [width]
        bias: Added to each component after the mean was taken away, float32. [width]
        eps: Added to the mean square.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    eps: float


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
        operations: What computes between the projections.
        shard: Which part of a model this is.
    """

    config: ModelConfig
    embedding: torch.Tensor
    positions: torch.Tensor | None
    layers: tuple[Layer, ...]
    norm: Norm
    head: Linear
    rope_tables: torch.Tensor
    operations: Operations = TorchOperations()  # noqa: RUF009 - it has no state
    shard: Shard = WHOLE

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
        change = torch.zeros_like(rows)
        for number, layer in enumerate(self.layers):
            turn = turns[self.config.kind(number).rope] if turns else None
            rows, seen = self.operations.add_norm(rows, change, layer.attention_norm)
            attended = attend(number, *self._heads(layer, seen, turn))
            change = self._normed(self._summed(layer.output, attended), layer.post_attention_norm)
            rows, seen = self.operations.add_norm(rows, change, layer.mlp_norm)
            change = self._normed(self._mlp(layer, seen), layer.post_mlp_norm)
        return rows + change

    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Scores of every next token after some rows of the residual stream, in float32."""
        scores = self.head(self.operations.norm(rows, self.norm))
        logits = self.shard.row_of_all(scores, self.config.vocab_size).float()
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
        if turn is None:
            queries = self._normed(queries, layer.query_norm)
            return queries, self._normed(keys, layer.key_norm), values
        queries = self.operations.turn(queries, layer.query_norm, turn)
        return queries, self.operations.turn(keys, layer.key_norm, turn), values

    def _mlp(self, layer: Layer, rows: torch.Tensor) -> torch.Tensor:
        inner, activation = layer.gate_up(rows), self.config.activation
        if self.config.gated:
            return self._summed(layer.down, self.operations.gate(inner, activation))
        return self._summed(layer.down, activate(inner, activation))

    def _summed(self, linear: Linear, rows: torch.Tensor) -> torch.Tensor:
        """Projects rows of which each shard has some columns."""
        return self.shard.total(linear(rows))

    def _normed(self, rows: torch.Tensor, norm: Norm | None) -> torch.Tensor:
        return rows if norm is None else self.operations.norm(rows, norm)
