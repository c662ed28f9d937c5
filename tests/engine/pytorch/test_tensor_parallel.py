"""Two processes that share a model compute what one does, and end together."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.pytorch.forward import DeviceLost
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.pytorch.shard import Shard
from stormproof.engine.pytorch.tensor_parallel import (
    ParallelForward,
    await_ready,
    follow,
    parallel_runner,
)
from stormproof.engine.sampling.draw import Draw
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.settings import EngineConfig
from stormproof.errors import ConfigurationError, ModelLoadError
from support.small_models import (
    BLOCK_SIZE,
    BLOCKS_EACH,
    SMALL,
    Conversation,
    batch_of,
    tokens,
    write_model,
)

# A vocabulary that is odd, and biases, of which a sum may hold one only.
MODEL = LlamaConfig(**SMALL | {"vocab_size": 321}, attention_bias=True, mlp_bias=True)
GREEDY = Draw(SamplingParams(temperature=0), seed=0, position=0)


def shared(folder: Path) -> EngineConfig:
    return EngineConfig(
        model=str(folder), device="cpu", dtype="float32", tensor_parallel=2, threads=1
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path, MODEL)
    return tmp_path


@pytest.fixture
def pair(folder: Path) -> Iterator[TorchRunner]:
    """A runner with one more process, which must be gone in the end."""
    runner = parallel_runner(open_checkpoint(folder), shared(folder), num_blocks=2 * BLOCKS_EACH)
    yield runner
    assert isinstance(runner._forward, ParallelForward)
    runner._forward.close()
    for process in multiprocessing.active_children():
        process.join(30)
        assert process.exitcode is not None


def test_two_processes_compute_what_one_does_and_fail_together(
    folder: Path, pair: TorchRunner
) -> None:
    """Prompts and decoding, to the rounding of a sum in two parts; then one process is killed."""
    single = TorchRunner.load(
        folder, num_blocks=2 * BLOCKS_EACH, block_size=BLOCK_SIZE, device="cpu"
    )
    one, two = Conversation(tokens(50, 321)), Conversation(tokens(30, 321, seed=1), 1)
    for batch in (
        batch_of((one, 0, 40), (two, 0, 30)),
        *(batch_of((one, end - 1, end)) for end in range(41, 51)),
    ):
        counts = [1] * len(batch.query_lengths)
        expected = single.forward(batch, counts)
        assert expected.shape[1] == 321
        torch.testing.assert_close(pair.forward(batch, counts), expected, atol=1e-5, rtol=1e-4)
        draws = [[GREEDY] for _ in counts]
        assert pair.step(batch, draws) == single.step(batch, draws)

    (other,) = multiprocessing.active_children()
    other.kill()
    other.join()
    with pytest.raises(DeviceLost):
        pair.forward(batch_of((one, 49, 50)), [1])


def test_a_process_that_cannot_load_says_why(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    follow(theirs, shared(tmp_path / "missing"), rank=1, num_blocks=1, port=0)
    with pytest.raises(ModelLoadError, match="does not exist"):
        await_ready(ours, "model")


def test_a_process_that_dies_while_it_loads_is_missed() -> None:
    ours, theirs = multiprocessing.Pipe()
    theirs.close()
    with pytest.raises(ModelLoadError, match="died"):
        await_ready(ours, "model")


def test_heads_that_cannot_be_shared_out_are_refused(folder: Path) -> None:
    config = open_checkpoint(folder).config
    assert Shard(1, 2).of(config).heads == SMALL["num_attention_heads"] // 2
    with pytest.raises(ConfigurationError, match="tensor_parallel"):
        Shard(0, 4).of(config)
