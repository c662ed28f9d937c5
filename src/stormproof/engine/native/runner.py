"""Runs a model on a CPU by the native step."""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING

from stormproof.engine.checkpoints.loading import loading
from stormproof.engine.native.compiler import CannotCompile
from stormproof.engine.native.draw_memory import DrawMemory
from stormproof.engine.native.library import NativeEngine, native_library
from stormproof.engine.native.packed_weights import PackedWeights, model_sizes
from stormproof.engine.native.step_limits import StepLimits
from stormproof.engine.native.structures import SpStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.checkpoint import Checkpoint
    from stormproof.engine.checkpoints.loading import Progress
    from stormproof.engine.sampling.draw import Draw, Sampled
    from stormproof.engine.scheduling.batch import StepBatch
    from stormproof.engine.settings import DType
    from stormproof.errors import TensorError

NUMBER_BYTES = 2
"""What a number of the cache takes."""


class NativeRunner:
    """A model and its cache, run by the C++ step; a `ModelRunner`.

    Args:
        config: The model.
        engine: What runs it.
        limits: What the engine has room for.
    """

    def __init__(self, config: ModelConfig, engine: NativeEngine, limits: StepLimits) -> None:
        self.config = config
        self._engine = engine
        self._limits = limits
        self._draws = DrawMemory(limits.rows, config.vocab_size)
        self._step = SpStep(draw=self._draws.draws)

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        *,
        name: str,
        num_blocks: int,
        block_size: int,
        max_rows: int,
        threads: int,
        dtype: DType = "auto",
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> NativeRunner:
        """Loads a model.

        Args:
            checkpoint: The model.
            name: What errors call it.
            num_blocks: Blocks in the cache.
            block_size: Tokens in a block; a multiple of 16.
            max_rows: Most rows of a step.
            threads: How many compute.
            dtype: What the numbers of matrices become, see `Packer`.
            memory: Where to pack the weights, for other processes to map; see `shared_memory`.
            progress: Told the fraction that is loaded.

        Raises:
            CannotCompile: There is no native step.
            ModelLoadError: It is damaged.
            OutOfMemory: It and its cache do not fit.
        """
        library, config = native_library(), checkpoint.config
        with loading(name):
            weights = PackedWeights(
                checkpoint,
                library,
                dtype=dtype,
                threads=threads,
                memory=memory,
                progress=progress or (lambda _: None),
            )
            engine = library.engine(
                weights.model,
                weights=weights,
                num_blocks=num_blocks,
                block_size=block_size,
                max_rows=max_rows,
                max_draws=max_rows,
                threads=threads,
            )
        limits = StepLimits(config, num_blocks=num_blocks, block_size=block_size, rows=max_rows)
        return cls(config, engine, limits)

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        """Writes the batch into the cache and chooses the next tokens; see `ModelRunner`.

        Raises:
            OutOfMemory: The batch does not fit.
            TensorError: The batch contradicts itself.
        """
        self._limits.check(batch, draws)
        self._list_draws(batch.query_lengths, draws)
        # These lie where they are until the library has read them.
        tokens, lengths, contexts = map(
            _numbers, (batch.token_ids, batch.query_lengths, batch.context_lengths)
        )
        longest = max(map(len, batch.block_tables))
        table = _table(batch.block_tables, longest)
        self._limits.check_blocks(table)
        step = self._step
        step.rows, step.sequences, step.draws = len(tokens), len(lengths), len(self._draws)
        step.tokens = _address(tokens)
        step.query_lengths, step.context_lengths = _address(lengths), _address(contexts)
        step.block_tables, step.table_stride = _address(table), longest
        self._engine.step(step)
        chosen = iter(self._draws.chosen())
        return [list(islice(chosen, len(wanted))) for wanted in draws]

    def _list_draws(self, lengths: Sequence[int], draws: Sequence[Sequence[Draw]]) -> None:
        self._draws.clear()
        end = 0
        for length, wanted in zip(lengths, draws, strict=True):
            end += length
            for row, draw in enumerate(wanted, end - len(wanted)):
                self._draws.add(row, draw)


def why_not_native(config: ModelConfig, block_size: int) -> str | None:
    """What keeps a model from being run by the native step, in words; None if nothing does."""
    try:
        return native_library().problem(model_sizes(config), block_size)
    except CannotCompile as error:
        return str(error)


def _table(rows: Sequence[list[int]], length: int) -> array[int]:
    """Lists one after the other, each filled up to a length."""
    nothing = [0] * length
    table = array("i")
    for row in rows:
        table.fromlist(row)
        table.fromlist(nothing[len(row) :])
    return table


def _numbers(numbers: Sequence[int]) -> array[int]:
    return array("i", numbers)


def _address(numbers: array[int]) -> int:
    return numbers.buffer_info()[0]
