"""The BERT encoder: Devlin et al., https://arxiv.org/abs/1810.04805. In float32, on numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from stormproof.engine.embedding.bert_config import Pooling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from stormproof.engine.embedding.bert_config import BertConfig

Floats: TypeAlias = "npt.NDArray[np.float32]"

# Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26; wrong by less than 1.5e-7,
# which is what a float32 can tell from 1.
_ERFC_STEEPNESS: Final = 0.3275911
_ERFC: Final = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


@dataclass(frozen=True, slots=True)
class Dense:
    """A projection.

    Attributes:
        weight: [in, out]
        bias: [out]
    """

    weight: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        """Projects rows of width ``in`` to ``out``."""
        projected: Floats = rows @ self.weight
        projected += self.bias
        return projected


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Takes the mean away and divides by the standard deviation.

    Attributes:
        weight: [width]
        bias: [width]
        eps: Added to the variance.
    """

    weight: Floats
    bias: Floats
    eps: float

    def __call__(self, rows: Floats) -> Floats:
        """Normalises the last dimension."""
        centred = rows - rows.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        normal: Floats = centred / np.sqrt(variance + np.float32(self.eps))
        return normal * self.weight + self.bias


@dataclass(frozen=True, slots=True)
class BertLayer:
    """The weights of one layer; query, key and value are one projection."""

    qkv: Dense
    output: Dense
    attention_norm: LayerNorm
    up: Dense
    down: Dense
    mlp_norm: LayerNorm


@dataclass(frozen=True, slots=True)
class Bert:
    """An encoder's weights, and the way from tokens to the vector of a text.

    Attributes:
        config: Sizes and details.
        tokens: [vocab, hidden]
        places: Of each position, with the first segment's vector added. [positions, hidden]
        norm: After the embedding.
        layers: The layers, in order.
    """

    config: BertConfig
    tokens: Floats
    places: Floats
    norm: LayerNorm
    layers: tuple[BertLayer, ...]

    def embed(self, texts: Sequence[Sequence[int]]) -> Floats:
        """The vectors of some texts.

        The rows of all texts lie one after the other, so nothing is computed for padding.

        Args:
            texts: The tokens of each, those around it included; at least one.

        Returns:
            [texts, hidden]
        """
        spans = [slice(*ends) for ends in pairwise(accumulate(map(len, texts), initial=0))]
        ids = np.concatenate([np.asarray(text) for text in texts])
        positions = np.concatenate([np.arange(len(text)) for text in texts])
        rows = self.norm(self.tokens[ids] + self.places[positions])
        for layer in self.layers:
            rows = self._through(layer, rows, spans)
        return self._pooled(rows, spans)

    def _through(self, layer: BertLayer, rows: Floats, spans: Sequence[slice]) -> Floats:
        projected = layer.qkv(rows)
        seen = np.concatenate([self._attention(projected[span]) for span in spans])
        rows = layer.attention_norm(rows + layer.output(seen))
        return layer.mlp_norm(rows + layer.down(gelu(layer.up(rows))))

    def _attention(self, projected: Floats) -> Floats:
        """Attention of each token of one text to all of them: [tokens, hidden]."""
        heads, width = self.config.heads, self.config.hidden_size // self.config.heads
        apart = projected.reshape(len(projected), 3, heads, width).transpose(1, 2, 0, 3)
        queries, keys, values = apart
        scores: Floats = queries @ keys.swapaxes(1, 2)
        scores *= np.float32(1 / math.sqrt(width))
        scores -= scores.max(-1, keepdims=True)
        weights = np.exp(scores, out=scores)
        weights /= weights.sum(-1, keepdims=True)
        return np.asarray((weights @ values).swapaxes(0, 1).reshape(len(projected), -1))

    def _pooled(self, rows: Floats, spans: Sequence[slice]) -> Floats:
        by_mean = self.config.pooling is Pooling.MEAN
        vectors = np.stack([rows[span].mean(0) if by_mean else rows[span.start] for span in spans])
        if not self.config.normalised:
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)))


def gelu(rows: Floats) -> Floats:
    """``x / 2 * (1 + erf(x / sqrt(2)))`` of each number, erf by an approximation."""
    size = np.abs(rows)
    step = 1 / (1 + np.float32(_ERFC_STEEPNESS / math.sqrt(2)) * size)
    tail = np.full_like(size, _ERFC[0])
    for coefficient in _ERFC[1:]:
        tail *= step
        tail += np.float32(coefficient)
    tail *= step * np.exp(size * size * np.float32(-0.5))
    return np.maximum(rows, 0) - size * tail * np.float32(0.5)
