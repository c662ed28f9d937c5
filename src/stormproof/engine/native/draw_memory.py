"""Draws, written down in memory where the native library reads them and writes its choices."""

from __future__ import annotations

import struct
from array import array
from ctypes import c_char_p, c_void_p, cast
from typing import TYPE_CHECKING, Final

import numpy as np

from stormproof.engine.native.structures import SpDraw
from stormproof.engine.sampling.draw import Sampled, TokenLogprobs
from stormproof.engine.sampling.randomness import uniform
from stormproof.errors import TensorError

if TYPE_CHECKING:
    from stormproof.engine.sampling.draw import Draw

# The fields of SpDraw; ctypes takes ten times as long to set them one by one.
_FIELDS: Final = struct.Struct("@i3fidi3Pi2Pif")
_REFUSALS: Final = {-1: "logits are not finite", -2: "the grammar allows no token"}
_NO_LOGPROBS: Final = -1


class DrawMemory:
    """Room for the draws of a step.

    Args:
        most: Draws that there is room for.
        vocab: Tokens that there are.
    """

    def __init__(self, most: int, vocab: int) -> None:
        self.draws = (SpDraw * most)()
        self._vocab = vocab
        words = np.frombuffer(memoryview(self.draws).cast("B"), np.int32).reshape(most, -1)
        self._tokens = words[:, SpDraw.token.offset // words.itemsize]
        self._listed: list[Draw] = []
        self._tops: dict[int, tuple[array[int], array[float]]] = {}
        self._kept: list[object] = []

    def __len__(self) -> int:
        return len(self._listed)

    def clear(self) -> None:
        """Forget the draws there are."""
        self._listed.clear()
        self._tops.clear()
        self._kept.clear()

    def add(self, row: int, draw: Draw) -> None:
        """Write down how the token after a row is chosen.

        Raises:
            TensorError: It names tokens that there are not.
        """
        params, number = draw.params, len(self._listed)
        offsets = draw.offsets() if params.logit_bias or params.penalises else {}
        tokens, values = self._offsets(offsets) if offsets else (0, 0)
        top_tokens, top_logprobs = self._top(number, params.logprobs) if params.logprobs else (0, 0)
        _FIELDS.pack_into(
            self.draws,
            number * _FIELDS.size,
            row,
            params.temperature,
            params.top_p,
            params.min_p,
            params.top_k or 0,
            uniform(draw.seed, draw.position) if params.temperature else 0.0,
            len(offsets),
            tokens,
            values,
            0 if draw.allowed is None else self._mask(draw.allowed),
            _NO_LOGPROBS if params.logprobs is None else params.logprobs,
            top_tokens,
            top_logprobs,
            0,
            0.0,
        )
        self._listed.append(draw)

    def chosen(self) -> list[Sampled | TensorError]:
        """Return what the library has chosen, draw by draw."""
        tokens: list[int] = self._tokens[: len(self._listed)].tolist()
        return [self._chosen(number, token) for number, token in enumerate(tokens)]

    def _chosen(self, number: int, token: int) -> Sampled | TensorError:
        if token < 0:
            return TensorError(reason=_REFUSALS[token])
        if self._listed[number].params.logprobs is None:
            return Sampled(token)
        top_tokens, top_logprobs = self._tops.get(number, ((), ()))
        top = tuple(
            (other, logprob)
            for other, logprob in zip(top_tokens, top_logprobs, strict=True)
            if other >= 0  # the vocabulary has no more
        )
        return Sampled(token, TokenLogprobs(token, self.draws[number].logprob, top))

    def _offsets(self, offsets: dict[int, float]) -> tuple[int, int]:
        if min(offsets) < 0 or max(offsets) >= self._vocab:
            raise TensorError(reason="a token is outside the model's vocabulary")
        return self._keep(array("i", offsets)), self._keep(array("f", offsets.values()))

    def _top(self, number: int, count: int) -> tuple[int, int]:
        found = self._tops[number] = array("i", bytes(4 * count)), array("f", bytes(4 * count))
        return found[0].buffer_info()[0], found[1].buffer_info()[0]

    def _mask(self, allowed: bytes) -> int:
        if len(allowed) // 4 * 32 < self._vocab:  # it is read word by word
            raise TensorError(reason="a grammar's mask does not cover the vocabulary")
        self._kept.append(allowed)
        return cast(c_char_p(allowed), c_void_p).value or 0

    def _keep(self, numbers: array[int] | array[float]) -> int:
        self._kept.append(numbers)
        return numbers.buffer_info()[0]
