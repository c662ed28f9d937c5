"""Reading what was scheduled, whatever fails on the way."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from stormproof.engine.sampling.draw import Sampled
from stormproof.engine.scheduling.batch import ModelRunner
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.scheduling.step_batch import step_batch
from stormproof.engine.scheduling.step_budget import StepBudget
from stormproof.errors import OutOfMemory, StormproofError, translate

Result: TypeAlias = Sampled | StormproofError
Reading: TypeAlias = tuple[Chunk, Sequence[Result]]
"""What was read, and what was chosen after it."""


class Reader:
    """Has a model read chunks, and finds out which request a failure belongs to.

    Nothing has moved when a forward pass fails: reading the same tokens again writes the same keys
    and values to the same place.

    Args:
        runner: The model.
        budget: How much a step may read; shrinks when memory runs out, and grows again.

    Attributes:
        on_read: Told, before each forward pass, what is about to be read. It must not raise.
    """

    def __init__(self, runner: ModelRunner, budget: StepBudget) -> None:
        self._runner = runner
        self._budget = budget
        self.on_read: Callable[[Sequence[Chunk]], None] = _unobserved

    def read(self, chunks: Sequence[Chunk]) -> list[Reading]:
        """Read chunks; after a failure without drafts, and by halves, until what fails is alone.

        Of a chunk for which there is not enough memory, only the beginning is read.
        """
        if not chunks:
            return []
        shortages = self._budget.shortages
        readings = self._read(chunks)
        if self._budget.shortages == shortages:
            self._budget.grow()
        return readings

    def _read(self, chunks: Sequence[Chunk]) -> list[Reading]:
        self.on_read(chunks)
        try:
            results = self._runner.step(step_batch(chunks), [chunk.draws for chunk in chunks])
            return list(zip(chunks, results, strict=True))
        except Exception as failure:  # noqa: BLE001 - one request must not take others with it
            error = translate(failure)
        rows = sum(chunk.rows for chunk in chunks)
        if isinstance(error, OutOfMemory):
            self._budget.shrink(rows)
        if rows > sum(chunk.length for chunk in chunks):
            return self._read([chunk.undrafted() for chunk in chunks])
        if len(chunks) > 1:
            half = len(chunks) // 2
            return self._read(chunks[:half]) + self._read(chunks[half:])
        if isinstance(error, OutOfMemory) and rows > 1:
            return self._read([Chunk(chunks[0].sequence, rows // 2)])
        return [(chunks[0], [error])]


def _unobserved(_: Sequence[Chunk]) -> None:
    pass
