"""A scripted model behind the real engine, for making any situation on demand."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch

from stormproof.engine.architecture import Family, ModelConfig
from stormproof.engine.batch import StepBatch
from stormproof.engine.core import EngineCore
from stormproof.engine.draw import Draw, Sampled
from stormproof.engine.sampler import sample
from stormproof.engine.settings import EngineConfig
from stormproof.engine.speculation import Drafter
from stormproof.engine.tokenizer import Tokenizer
from stormproof.errors import TensorError

EOS = 256
VOCAB = 257

Script: TypeAlias = Callable[[list[int]], "int | torch.Tensor"]
"""What follows a context: a token, or the logits of all of them; or it raises."""


class ScriptedRunner:
    """A model that knows only what it reads back from its own cache.

    So a block that is shared, lost or written too early changes its answers.
    """

    def __init__(self, script: Script, *, num_blocks: int, block_size: int) -> None:
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
        self._script = script
        self._block_size = block_size
        self._cache = [-1] * (num_blocks * block_size)

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        self._write(batch)
        pairs = zip(self._contexts(batch), draws, strict=True)
        return [self._choose(context, wanted) for context, wanted in pairs]

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

    def _choose(self, context: list[int], draws: Sequence[Draw]) -> list[Sampled | TensorError]:
        """Choose after each of the last rows; the script sees every context once at least."""
        rows = range(len(context) - max(len(draws), 1) + 1, len(context) + 1)
        logits = torch.stack([self._logits(context[:end]) for end in rows])
        return sample(logits, draws) if draws else []

    def _logits(self, context: list[int]) -> torch.Tensor:
        wanted = self._script(context)
        if isinstance(wanted, torch.Tensor):
            return wanted
        return torch.zeros(VOCAB).index_fill(0, torch.tensor(wanted), 20.0)


def babble(context: list[int]) -> int:
    """Write letters that depend on every token before."""
    state = 7
    for token in context:
        state = (state * 31 + token + 1) % 65_521
    return ord("a") + state % 26


def byte_tokenizer() -> Tokenizer:
    """Make a tokenizer whose tokens are the 256 bytes, and one that ends a text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    definition = {
        "version": "1.0",
        "added_tokens": [
            {"id": EOS, "content": "<|im_end|>", "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        ],
        "pre_tokenizer": level | {"use_regex": False},
        "decoder": level | {"use_regex": False},
        "model": {
            "type": "BPE",
            "vocab": {letter: byte for byte, letter in letters.items()} | {"<|im_end|>": EOS},
            "merges": [],
        },
    }
    text = json.dumps(definition)
    return Tokenizer.from_json(text, eos_ids=frozenset({EOS}), template=None, names={})


def make_core(
    script: Script = babble,
    *,
    num_blocks: int = 16,
    block_size: int = 4,
    drafter: Drafter | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    entropy: Callable[[int], int] = lambda _: 0,
    **settings: Any,
) -> EngineCore:
    """Make an engine around a scripted model, with a cache of 64 tokens unless told otherwise."""
    return EngineCore(
        ScriptedRunner(script, num_blocks=num_blocks, block_size=block_size),
        byte_tokenizer(),
        EngineConfig(model="scripted", block_size=block_size, **{"speculation": "off"} | settings),
        num_blocks=num_blocks,
        drafter=drafter,
        clock=clock,
        entropy=entropy,
    )
