"""Builds a BERT encoder from the folder of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.safetensors_file import SafetensorsFile
from stormproof.engine.embedding.bert import Bert, BertLayer, Dense, LayerNorm
from stormproof.engine.embedding.bert_config import read_bert_config

if TYPE_CHECKING:
    from pathlib import Path

    from stormproof.engine.embedding.bert import Floats


def load_bert(folder: Path) -> Bert:
    """Reads an encoder and all its weights.

    Raises:
        Unusable: A file or a tensor is missing, damaged, or of an unsupported kind.
    """
    return _Loader(folder).bert()


class _Loader:
    def __init__(self, folder: Path) -> None:
        self._config = read_bert_config(folder)
        self._file = SafetensorsFile(folder / "model.safetensors")
        # A folder with a head on top has the encoder's tensors under its name.
        inside = "bert.embeddings.word_embeddings.weight" in self._file.names
        self._prefix = "bert." if inside else ""

    def bert(self) -> Bert:
        config = self._config
        hidden = config.hidden_size
        positions = self._tensor("embeddings.position_embeddings.weight", config.positions, hidden)
        segments = self._tensor("embeddings.token_type_embeddings.weight", config.segments, hidden)
        return Bert(
            config=config,
            tokens=self._tensor("embeddings.word_embeddings.weight", config.vocab_size, hidden),
            places=positions + segments[0],
            norm=self._norm("embeddings"),
            layers=tuple(self._layer(f"encoder.layer.{n}") for n in range(config.layers)),
        )

    def _layer(self, name: str) -> BertLayer:
        hidden, inner = self._config.hidden_size, self._config.intermediate_size
        projections = [
            self._dense(f"{name}.attention.self.{part}", hidden, hidden)
            for part in ("query", "key", "value")
        ]
        return BertLayer(
            qkv=Dense(
                np.concatenate([part.weight for part in projections], axis=1),
                np.concatenate([part.bias for part in projections]),
            ),
            output=self._dense(f"{name}.attention.output.dense", hidden, hidden),
            attention_norm=self._norm(f"{name}.attention.output"),
            up=self._dense(f"{name}.intermediate.dense", hidden, inner),
            down=self._dense(f"{name}.output.dense", inner, hidden),
            mlp_norm=self._norm(f"{name}.output"),
        )

    def _dense(self, name: str, width: int, height: int) -> Dense:
        weight = self._tensor(f"{name}.weight", height, width)
        return Dense(np.ascontiguousarray(weight.T), self._tensor(f"{name}.bias", height))

    def _norm(self, owner: str) -> LayerNorm:
        hidden, name = self._config.hidden_size, f"{owner}.LayerNorm"
        weight, bias = self._tensor(f"{name}.weight", hidden), self._tensor(f"{name}.bias", hidden)
        return LayerNorm(weight, bias, self._config.norm_eps)

    def _tensor(self, name: str, *shape: int) -> Floats:
        stored = f"{self._prefix}{name}"
        if stored not in self._file.names:
            raise Unusable(f"tensor {stored} is missing")
        tensor = self._file.tensor(stored)
        if tensor.shape != shape:
            raise Unusable(f"tensor {stored} has the shape {tensor.shape}, not {shape}")
        return tensor.numbers()
