"""Our C++ step by itself, without a scheduler: sequences whose blocks lie one after the other."""

import ctypes
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_peers.machine import threads
from engine_peers.models import gguf
from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.native.library import native_library
from stormproof.engine.native.packed_weights import PackedWeights
from stormproof.engine.native.structures import SpDraw, SpMatrix, SpStep

BLOCK: Final = 16
_NO_LOGPROBS: Final = -1


class NativeStep:
    """The embedded model, and room in its cache.

    Args:
        sequences: How many there is room for.
        length: Tokens of each; whole blocks.
    """

    def __init__(self, sequences: int, length: int) -> None:
        checkpoint = open_checkpoint(gguf())
        self.config = checkpoint.config
        self.library = native_library()
        self._weights = PackedWeights(checkpoint, self.library, dtype="auto", threads=threads())
        self._blocks = length // BLOCK
        self._engine = self.library.engine(
            self._weights.model,
            weights=self._weights,
            num_blocks=sequences * self._blocks,
            block_size=BLOCK,
            max_rows=max(sequences, length),
            max_draws=max(sequences, length),
            threads=threads(),
        )
        self.times = self._engine.times

    @property
    def matrices(self) -> list[SpMatrix]:
        """Every matrix that a step multiplies with."""
        model = self._weights.model
        layers = [model.layer[number] for number in range(model.layers)]
        parts = [[layer.qkv, layer.output, layer.up, layer.down] for layer in layers]
        return [*chain.from_iterable(parts), model.head]

    def read(
        self,
        rows: Mapping[int, Sequence[int]],
        *,
        context: int,
        drawn: int,
        logits: NDArray[np.float32] | None = None,
    ) -> None:
        """Read the last tokens of some sequences, and choose after the last of those.

        Args:
            rows: Their tokens, by the number of the sequence; the same number of each.
            context: Tokens of each sequence once these are read.
            drawn: After how many rows of each sequence a token is chosen.
            logits: Where to write them. [sequences * drawn, vocabulary]
        """
        [length] = {len(tokens) for tokens in rows.values()}
        ends = range(length, len(rows) * length + 1, length)
        at = [row for end in ends for row in range(end - drawn, end)]
        tables = [range(n * self._blocks, (n + 1) * self._blocks) for n in rows]
        step = SpStep(
            rows=len(rows) * length,
            sequences=len(rows),
            draws=len(at),
            tokens=_integers([*chain.from_iterable(rows.values())]),
            query_lengths=_integers([length] * len(rows)),
            context_lengths=_integers([context] * len(rows)),
            block_tables=_integers([*chain.from_iterable(tables)]),
            table_stride=self._blocks,
            draw=(SpDraw * len(at))(*[SpDraw(row=row, logprobs=_NO_LOGPROBS) for row in at]),
            logits=None if logits is None else logits.ctypes.data,
        )
        self._engine.step(step)


def _integers(numbers: Sequence[int]) -> Any:
    return ctypes.cast((ctypes.c_int32 * len(numbers))(*numbers), ctypes.c_void_p)
