"""Builds a transformer from the tensors of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stormproof.engine.checkpoints.checkpoint import tensor_of_shape
from stormproof.engine.pytorch.shard import WHOLE, Shard
from stormproof.engine.pytorch.transformer import Layer, Linear, Norm, Transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.checkpoint import Checkpoint
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
            layers.append(self._layer(f"model.layers.{number}"))
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

    def _layer(self, name: str) -> Layer:
        config = self._config
        hidden, inner = config.hidden_size, config.intermediate_size
        wide, narrow = config.heads * config.head_dim, config.kv_heads * config.head_dim
        attention, mlp = f"{name}.self_attn", f"{name}.mlp"
        qkv = {"q_proj": wide, "k_proj": narrow, "v_proj": narrow}
        gate_up = {"gate_proj": inner, "up_proj": inner} if config.gated else {"up_proj": inner}
        # The norm before the MLP is called after its place, which another takes in later Gemmas.
        before_mlp = "pre_feedforward" if config.post_norms else "post_attention"
        return Layer(
            attention_norm=self._norm(f"{name}.input_layernorm", hidden),
            qkv=self._linear(attention, qkv, hidden, bias=config.qkv_bias),
            query_norm=self._head_norm(f"{attention}.q_norm"),
            key_norm=self._head_norm(f"{attention}.k_norm"),
            output=self._sum(attention, "o_proj", wide, bias=config.output_bias),
            post_attention_norm=self._post_norm(f"{name}.post_attention_layernorm"),
            mlp_norm=self._norm(f"{name}.{before_mlp}_layernorm", hidden),
            gate_up=self._linear(mlp, gate_up, hidden, bias=config.mlp_bias),
            down=self._sum(mlp, "down_proj", inner, bias=config.mlp_bias),
            post_mlp_norm=self._post_norm(f"{name}.post_feedforward_layernorm"),
        )

    def _linear(self, owner: str, parts: dict[str, int], width: int, *, bias: bool) -> Linear:
        """One projection made of several that read the same rows; ``parts`` have these heights.

        Shards share out what comes of it.
        """
        weights = [self._rows(f"{owner}.{part}.weight", n, width) for part, n in parts.items()]
        if not bias:
            return Linear(_joined(weights))
        biases = [self._rows(f"{owner}.{part}.bias", n) for part, n in parts.items()]
        return Linear(_joined(weights), _joined(biases))

    def _sum(self, owner: str, name: str, width: int, *, bias: bool) -> Linear:
        """A projection back to the residual stream: shards share out what goes into it."""
        hidden = self._config.hidden_size
        weight = self._shard.part(self._tensor(f"{owner}.{name}.weight", hidden, width), 1)
        if not bias or self._shard.rank:  # once is enough for a sum
            return Linear(weight)
        return Linear(weight, self._tensor(f"{owner}.{name}.bias", hidden))

    def _rows(self, name: str, *shape: int) -> torch.Tensor:
        return self._shard.part(self._tensor(name, *shape), 0)

    def _norm(self, name: str, width: int) -> Norm:
        # In float32 whatever the model has: a norm is computed so, and Gemma's are near 1, where
        # half precision is coarse.
        weight = self._tensor(f"{name}.weight", width, dtype=torch.float32)
        biased = self._config.layer_norm
        bias = self._tensor(f"{name}.bias", width, dtype=torch.float32) if biased else None
        return Norm(weight, bias, self._config.norm_eps)

    def _post_norm(self, name: str) -> Norm | None:
        return self._norm(name, self._config.hidden_size) if self._config.post_norms else None

    def _head_norm(self, name: str) -> Norm | None:
        return self._norm(name, self._config.head_dim) if self._config.qk_norm else None

    def _tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        numbers = tensor_of_shape(self._checkpoint, name, *shape).numbers()
        tensor = torch.from_numpy(np.require(numbers, requirements=["C", "W"]))
        return tensor.to(self._device, dtype or self._dtype)


def _joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat(tuple(tensors)) if len(tensors) > 1 else tensors[0]
