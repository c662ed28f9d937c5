"""What the models of tests have in common: they read what is in the cache, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from stormproof.engine.checkpoints.architecture import Family, ModelConfig
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.errors import TensorError
from support.byte_tokenizer import VOCAB


class CacheRunner(ABC):
    """A model that knows only what it reads back from its own cache.

    So a block that is shared, lost or written too early changes its answers.
    """

    def __init__(self, *, num_blocks: int, block_size: int) -> None:
        self.config = ModelConfig(
            family=Family.LLAMA,
            vocab_size=VOCAB,
            hidden_size=4,
            layers=1,
            heads=1,
            kv_heads=1,
            head_dim=2,
            intermediate_size=4,
            max_context=100_000,
            norm_eps=1e-5,
            attention_scale=1.0,
            rope_tables=((1.0,),),
            tied_embeddings=True,
        )
        self._block_size = block_size
        self._cache = [-1] * (num_blocks * block_size)

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        self._write(batch)
        pairs = zip(self._contexts(batch), draws, strict=True)
        return [self.choose(context, wanted) for context, wanted in pairs]

    def _write(self, batch: StepBatch) -> None:
        places = list(self._places(batch))
        assert len(set(places)) == len(places)
        for place, token in zip(places, batch.token_ids, strict=True):
            self._cache[place] = token

    def _places(self, batch: StepBatch) -> Iterator[int]:
        sequences = zip(batch.query_lengths, batch.context_lengths, batch.block_tables, strict=True)
        for length, end, blocks in sequences:
            for position in range(end - length, end):
                block, offset = divmod(position, self._block_size)
                yield blocks[block] * self._block_size + offset

    def _contexts(self, batch: StepBatch) -> Iterator[list[int]]:
        for blocks, length in zip(batch.block_tables, batch.context_lengths, strict=True):
            starts = [block * self._block_size for block in blocks]
            tokens = [t for start in starts for t in self._cache[start : start + self._block_size]]
            assert len(tokens) >= length
            yield tokens[:length]

    @abstractmethod
    def choose(self, context: list[int], draws: Sequence[Draw]) -> list[Sampled | TensorError]:
        """Choose the tokens after each of the last ``len(draws)`` places of a context."""
