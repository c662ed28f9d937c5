"""An engine whose process dies of what it reads: no torch, so that it is born again quickly."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from stormproof.engine.checkpoints.loading import Progress
from stormproof.engine.core import EngineCore, Piece
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.sampling.randomness import uniform
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.settings import EngineConfig
from stormproof.errors import ModelLoadError, TensorError
from support.byte_tokenizer import byte_tokenizer
from support.cache_runner import CacheRunner

FATES: dict[int, Callable[[], object]] = {
    1: lambda: ctypes.string_at(0),  # a real segmentation fault
    2: threading.Event().wait,  # hangs for ever
    3: lambda: os.kill(os.getpid(), signal.SIGKILL),  # as the kernel does when memory is out
    4: lambda: os._exit(7),
}
"""What a prompt that begins with such a token does to the process that reads its tenth token."""

DEADLY_LENGTH = 10
BLOCKS = 512


class MortalRunner(CacheRunner):
    """A model that writes letters which depend on every token before, and on luck."""

    def choose(self, context: list[int], draws: Sequence[Draw]) -> list[Sampled | TensorError]:
        if context[0] in FATES and len(context) >= DEADLY_LENGTH:
            FATES[context[0]]()
        ends = range(len(context) - len(draws) + 1, len(context) + 1)
        return [
            Sampled(_letter(context[:end], draw)) for end, draw in zip(ends, draws, strict=True)
        ]


def _letter(context: list[int], draw: Draw) -> int:
    state = 7
    for token in context:
        state = (state * 31 + token + 1) % 65_521
    luck = uniform(draw.seed, draw.position) if draw.params.temperature else 0.0
    return ord("a") + (state + int(luck * 1000)) % 26


def mortal_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Make the engine; it cannot start while the file that its settings name exists."""
    if Path(config.model).exists():
        raise ModelLoadError(reason="somebody has put a file in the way")
    if progress:
        progress(1.0)
    runner = MortalRunner(num_blocks=BLOCKS, block_size=config.block_size)
    return EngineCore(runner, byte_tokenizer(), config, num_blocks=BLOCKS)


def patient_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Make an engine whose model says that it reads, and waits for a file before it goes on."""
    runner = PatientRunner(num_blocks=BLOCKS, block_size=config.block_size)
    runner.place = config.model
    return EngineCore(runner, byte_tokenizer(), config, num_blocks=BLOCKS)


class PatientRunner(MortalRunner):
    """Reads only once the file that it waits for is there."""

    place = ""

    def choose(self, context: list[int], draws: Sequence[Draw]) -> list[Sampled | TensorError]:
        if not Path(f"{self.place}.go").exists():
            Path(f"{self.place}.reading").touch()
        while not Path(f"{self.place}.go").exists():
            time.sleep(0.001)
        return super().choose(context, draws)


class FussyCore(EngineCore):
    """Dies of a request that begins with its bane, before anything of it is read."""

    BANE: Final = 5

    def add(self, prompt: Sequence[int], params: SamplingParams, **options: Any) -> int:
        if prompt[0] == self.BANE:
            os.abort()
        return super().add(prompt, params, **options)


def fussy_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Make an engine that dies of what it is asked, as of a grammar that breaks its compiler."""
    runner = MortalRunner(num_blocks=BLOCKS, block_size=config.block_size)
    return FussyCore(runner, byte_tokenizer(), config, num_blocks=BLOCKS)


class PickyCore(EngineCore):
    """Dies when it is to say which tokens a text may go on with that begins with its bane."""

    BANE: Final = 6

    def _prepare(self, chunks: Sequence[Chunk], pieces: list[Piece]) -> list[Chunk]:
        if any(chunk.sequence.tokens[0] == self.BANE for chunk in chunks):
            os.abort()
        return super()._prepare(chunks, pieces)


def picky_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Make an engine that dies of what comes before a step, as of a grammar's matcher."""
    runner = MortalRunner(num_blocks=BLOCKS, block_size=config.block_size)
    return PickyCore(runner, byte_tokenizer(), config, num_blocks=BLOCKS)


def sharing_core(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Make the engine as one does that has left its weights for the next, and note that it did."""
    if memory is not None:
        os.ftruncate(memory, 1)
    core = mortal_core(config, progress=progress)
    Path(f"{config.model}.{os.getpid()}").touch()
    return core


def stillborn(
    config: EngineConfig, *, progress: Progress | None = None, memory: int | None = None
) -> EngineCore:
    """Die of a model."""
    os.abort()
