"""Builds a transformer from the tensors of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stormproof.engine.checkpoints.checkpoint import tensor_of_shape
from stormproof.engine.checkpoints.layer_tensors import layer_tensors
from stormproof.engine.pytorch.shard import WHOLE, Shard
from stormproof.engine.pytorch.transformer import Layer, Linear, Norm, Transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.checkpoint import Checkpoint
    from stormproof.engine.checkpoints.layer_tensors import Projection
    from stormproof.engine.checkpoints.loading import Progress


def load_transformer(
    checkpoint: Checkpoint,
    *,
    device: torch.device,
    dtype: torch.dtype,
    shard: Shard = WHOLE,
    progress: Progress | None = None,
) -> Transformer:
    """Reads all weights of a model.

    Args:
        checkpoint: The model.
        device: Where the weights are to lie.
        dtype: What their numbers are to be.
        shard: Which part of the model to read.
        progress: Told after each layer.

    Raises:
        Unusable: A tensor does not have the shape that the architecture says.
        ModelLoadError: A tensor is missing or damaged.
        ConfigurationError: The model cannot be shared out so.
    """
    return _Loader(checkpoint, device, dtype, shard).transformer(progress or (lambda _: None))


class _Loader:
    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype, shard: Shard
    ) -> None:
        self._checkpoint = checkpoint
        self._config = checkpoint.config
        self._device = device
        self._dtype = dtype
        self._shard = shard

    def transformer(self, progress: Progress) -> Transformer:
        config = self._config
        embedding = self._tensor("model.embed_tokens.weight", config.vocab_size, config.hidden_size)
        layers = []
        for number in range(config.layers):
            progress((number + 1) / (config.layers + 1))
            layers.append(self._layer(number))
        tied = config.tied_embeddings
        size = (config.vocab_size, config.hidden_size)
        head = embedding if tied else self._tensor("lm_head.weight", *size)
        progress(1.0)
        return Transformer(
            config=self._shard.of(config),
            embedding=embedding,
            positions=self._positions(),
            layers=tuple(layers),
            norm=self._norm("model.norm", config.hidden_size),
            head=Linear(self._shard.part(head, 0)),
            shard=self._shard,
            rope_tables=torch.tensor(config.rope_tables, device=self._device).view(
                len(config.rope_tables), config.head_dim // 2
            ),
        )

    def _positions(self) -> torch.Tensor | None:
        config = self._config
        if not config.learned_positions:
            return None
        return self._tensor("model.embed_positions.weight", config.max_context, config.hidden_size)

    def _layer(self, number: int) -> Layer:
        hidden, head_dim = self._config.hidden_size, self._config.head_dim
        layer = layer_tensors(self._config, number)
        return Layer(
            attention_norm=self._norm(layer.attention_norm, hidden),
            qkv=self._linear(layer.qkv),
            query_norm=self._norm_if_any(layer.query_norm, head_dim),
            key_norm=self._norm_if_any(layer.key_norm, head_dim),
            output=self._sum(layer.output),
            post_attention_norm=self._norm_if_any(layer.post_attention_norm, hidden),
            mlp_norm=self._norm(layer.mlp_norm, hidden),
            gate_up=self._linear(layer.up),
            down=self._sum(layer.down),
            post_mlp_norm=self._norm_if_any(layer.post_mlp_norm, hidden),
        )

    def _linear(self, made_of: Projection) -> Linear:
        """Shards share out what comes of it."""
        parts = made_of.parts.items()
        weight = _joined([self._rows(f"{name}.weight", n, made_of.width) for name, n in parts])
        if not made_of.biased:
            return Linear(weight)
        return Linear(weight, _joined([self._rows(f"{name}.bias", n) for name, n in parts]))

    def _sum(self, made_of: Projection) -> Linear:
        """A projection back to the residual stream: shards share out what goes into it."""
        [(name, rows)] = made_of.parts.items()
        weight = self._shard.part(self._tensor(f"{name}.weight", rows, made_of.width), 1)
        if not made_of.biased or self._shard.rank:  # once is enough for a sum
            return Linear(weight)
        return Linear(weight, self._tensor(f"{name}.bias", rows))

    def _rows(self, name: str, *shape: int) -> torch.Tensor:
        return self._shard.part(self._tensor(name, *shape), 0)

    def _norm(self, name: str, width: int) -> Norm:
        # In float32 whatever the model has: a norm is computed so, and Gemma's are near 1, where
        # half precision is coarse.
        weight = self._tensor(f"{name}.weight", width, dtype=torch.float32)
        biased = self._config.layer_norm
        bias = self._tensor(f"{name}.bias", width, dtype=torch.float32) if biased else None
        return Norm(weight, bias, self._config.norm_eps)

    def _norm_if_any(self, name: str | None, width: int) -> Norm | None:
        return None if name is None else self._norm(name, width)

    def _tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        numbers = tensor_of_shape(self._checkpoint, name, *shape).numbers()
        tensor = torch.from_numpy(np.require(numbers, requirements=["C", "W"]))
        return tensor.to(self._device, dtype or self._dtype)


def _joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat(tuple(tensors)) if len(tensors) > 1 else tensors[0]
