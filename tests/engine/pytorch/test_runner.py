"""The model computes what `transformers` computes, however its rows are batched and cached."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormproof.engine.pytorch.forward import DeviceLost
from stormproof.engine.pytorch.gathered_forward import GatheredForward
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.errors import ModelLoadError, OutOfMemory, TensorError
from support.small_models import (
    AUTO_MODEL,
    BLOCK_SIZE,
    BLOCKS_EACH,
    CONFIGURATIONS,
    SMALL,
    Conversation,
    batch_of,
    tokens,
    write_model,
)


def step(runner: TorchRunner, *parts: tuple[Conversation, int, int]) -> torch.Tensor:
    """Runs the tokens of each conversation from one position up to another."""
    return runner.forward(batch_of(*parts), counts=[1] * len(parts))


def load(path: Path, conversations: int = 1, **options: Any) -> TorchRunner:
    blocks = conversations * BLOCKS_EACH
    return TorchRunner.load(path, num_blocks=blocks, block_size=BLOCK_SIZE, device="cpu", **options)


def reference_logits(model: Any, sequence: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(torch.tensor([sequence])).logits[0]
    return logits


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one - other).abs().max().item()


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def small(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A folder with a small model of each kind, and the model as `transformers` runs it."""
    folder = tmp_path_factory.mktemp(request.param)
    return folder, write_model(folder, CONFIGURATIONS[request.param])


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A folder with a small model, for a test to damage."""
    write_model(tmp_path, CONFIGURATIONS["llama"])
    return tmp_path


@pytest.fixture(scope="module")
def runner(model_path: Path) -> TorchRunner:
    """SmolLM2 with a cache for eight conversations."""
    return load(model_path, conversations=8)


@pytest.fixture(scope="module")
def reference(model_path: Path) -> Any:
    """SmolLM2 as `transformers` reads and runs the same file."""
    return AUTO_MODEL.from_pretrained(
        model_path.parent, gguf_file=model_path.name, dtype=torch.float32
    ).eval()


def test_smollm2_computes_the_logits_of_transformers(runner: TorchRunner, reference: Any) -> None:
    talk = Conversation(tokens(150, runner.config.vocab_size))
    expected = reference_logits(reference, talk.tokens)
    assert difference(step(runner, (talk, 0, 150))[0], expected[-1]) <= 1e-3


def test_a_small_model_computes_the_logits_of_transformers(small: tuple[Path, Any]) -> None:
    folder, reference = small
    talk = Conversation(tokens(200, SMALL["vocab_size"]))
    expected = reference_logits(reference, talk.tokens)
    assert difference(step(load(folder), (talk, 0, 200))[0], expected[-1]) <= 1e-4


def test_decoding_step_by_step_equals_one_forward_pass(small: tuple[Path, Any]) -> None:
    """Every position, across the borders of blocks and tiles, is that of the whole sequence."""
    folder, reference = small
    runner = load(folder)
    talk = Conversation(tokens(140, SMALL["vocab_size"]))
    expected = reference_logits(reference, talk.tokens)
    got = [step(runner, (talk, 0, 5))[0]]
    got += [step(runner, (talk, position, position + 1))[0] for position in range(5, 140)]
    assert difference(torch.stack(got), expected[4:]) <= 1e-4


@given(cuts=st.sets(st.integers(1, 199), max_size=6))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_prefill_in_chunks_equals_one_in_whole(small: tuple[Path, Any], cuts: set[int]) -> None:
    runner = load(small[0])
    talk = Conversation(tokens(200, SMALL["vocab_size"]))
    whole = step(runner, (talk, 0, 200))
    borders = [0, *sorted(cuts), 200]
    chunked = [step(runner, (talk, start, end)) for start, end in pairwise(borders)]
    assert difference(chunked[-1], whole) <= 1e-4


def test_company_does_not_change_a_sequence(small: tuple[Path, Any]) -> None:
    """Eight sequences of all lengths, some decoding and some prefilling, together and alone."""
    runner = load(small[0], conversations=8)
    lengths = [3, 16, 17, 60, 127, 128, 129, 250]
    talks = [
        Conversation(tokens(length, SMALL["vocab_size"], seed=number), number)
        for number, length in enumerate(lengths)
    ]
    alone = torch.cat([step(runner, (talk, 0, len(talk.tokens))) for talk in talks])
    together = step(
        runner,
        *(
            (talk, len(talk.tokens) - 1 if number % 2 else 0, len(talk.tokens))
            for number, talk in enumerate(talks)
        ),
    )
    assert torch.equal(together, alone)


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "final_logit_softcapping"])
def test_scores_are_bounded_where_the_model_says_so(tmp_path: Path, key: str) -> None:
    """What the reference computes with bounds would be missed by a test if they did nothing."""
    write_model(tmp_path, CONFIGURATIONS["gemma-2"])
    talk = Conversation(tokens(40, SMALL["vocab_size"]))
    bounded = step(load(tmp_path), (talk, 0, 40))
    change(tmp_path / "config.json", key, None)
    assert difference(step(load(tmp_path), (talk, 0, 40)), bounded) > 0.01


def test_tokens_are_chosen_after_as_many_last_rows_as_are_asked_for(runner: TorchRunner) -> None:
    """None of a prompt that goes on, one of the next, and three that are to be verified."""
    vocab = runner.config.vocab_size
    talks = [Conversation(tokens(20, vocab, seed=number), number) for number in range(3)]
    batch = StepBatch(
        token_ids=[token for talk in talks for token in talk.tokens],
        query_lengths=[20] * 3,
        context_lengths=[20] * 3,
        block_tables=[talk.blocks for talk in talks],
    )
    greedy = Draw(SamplingParams(temperature=0), seed=0, position=0)
    chosen = runner.step(batch, [[], [greedy], [greedy] * 3])
    assert [len(one) for one in chosen] == [0, 1, 3]
    for talk, results in zip(talks, chosen, strict=True):
        for end, result in zip(range(21 - len(results), 21), results, strict=True):
            assert result == Sampled(int(step(runner, (talk, 0, end))[0].argmax()))
    assert runner.step(batch, [[], [], []]) == [[], [], []]


def test_a_sequence_does_not_see_what_its_blocks_held_before(runner: TorchRunner) -> None:
    vocab = runner.config.vocab_size
    talk = Conversation(tokens(20, vocab, seed=1))
    fresh = step(runner, (talk, 0, 20))
    step(runner, (Conversation(tokens(250, vocab, seed=2)), 0, 250))
    assert difference(step(runner, (talk, 0, 20)), fresh) <= 1e-4


def test_a_sequence_that_went_wrong_does_not_spoil_the_next_one(model_path: Path) -> None:
    """Numbers that are none stay in the blocks of the sequence that made them."""
    runner = load(model_path, conversations=2)
    vocab = runner.config.vocab_size
    talk, victim = Conversation(tokens(20, vocab), 0), Conversation(tokens(20, vocab), 1)
    expected = step(runner, (victim, 0, 20))
    assert isinstance(runner._forward, GatheredForward)
    for numbers in (runner._forward._cache._keys, runner._forward._cache._values):
        numbers.fill_(math.nan)
    assert difference(step(runner, (talk, 0, 20)), expected) <= 1e-4
    assert difference(step(runner, (victim, 0, 20), (talk, 19, 20))[:1], expected) <= 1e-4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close_to_single(
    model_path: Path, runner: TorchRunner, dtype: str
) -> None:
    half = load(model_path, dtype=dtype)
    talk = Conversation(tokens(40, runner.config.vocab_size))
    exact = step(runner, (talk, 0, 40)).log_softmax(-1)
    rough = step(half, (talk, 0, 40)).log_softmax(-1)
    assert (exact.exp() * (exact - rough)).sum().item() < 0.01
    assert rough.dtype == torch.float32


def test_loading_reports_its_progress(model_path: Path) -> None:
    reported: list[float] = []
    load(model_path, progress=reported.append)
    assert reported == sorted(reported)
    assert len(reported) > 10
    assert reported[-1] == 1.0


def test_a_missing_tensor_is_named(llama: Path) -> None:
    change(llama / "config.json", "num_hidden_layers", 4)
    with pytest.raises(ModelLoadError, match=r"model\.layers\.3\..* is missing"):
        load(llama)


def test_a_tensor_of_another_shape_is_refused(llama: Path) -> None:
    change(llama / "config.json", "intermediate_size", 145)
    with pytest.raises(ModelLoadError, match="has the shape"):
        load(llama)


def change(path: Path, key: str, value: int | None) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))


def test_a_cache_larger_than_memory_is_out_of_memory(model_path: Path) -> None:
    with pytest.raises(OutOfMemory):
        TorchRunner.load(model_path, num_blocks=1 << 34, block_size=16, device="cpu")


@pytest.mark.parametrize("token", [-1, 49_152])
def test_a_token_outside_the_vocabulary_is_a_tensor_error(runner: TorchRunner, token: int) -> None:
    with pytest.raises(TensorError, match="outside the model's vocabulary"):
        step(runner, (Conversation([1, token]), 0, 2))


def test_a_slot_outside_the_cache_is_a_tensor_error(runner: TorchRunner) -> None:
    with pytest.raises(TensorError):
        step(runner, (Conversation([1], number=1000), 0, 1))


def test_a_device_that_failed_ends_the_process(runner: TorchRunner) -> None:
    """No request may be tried again or blamed, as `EngineCore` would on an `Exception`."""

    def fail(batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    broken = TorchRunner(runner.config, fail, torch.device("cpu"))
    with pytest.raises(DeviceLost, match="illegal memory access"):
        broken.forward(batch_of((Conversation([1]), 0, 1)), [1])
    assert not issubclass(DeviceLost, Exception)
