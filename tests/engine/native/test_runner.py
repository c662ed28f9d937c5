"""The native runner does what the one on PyTorch does, and refuses what would harm it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stormproof.engine.checkpoints.checkpoint import Checkpoint
from stormproof.engine.native.library import NativeLibrary
from stormproof.engine.native.runner import NativeRunner, why_not_native
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.sampling.draw import Draw, Sampled, TokenLogprobs
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.engine.settings import DType
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import OutOfMemory, TensorError

BLOCKS, BLOCK_SIZE, ROWS = 8, 16, 96
GREEDY = SamplingParams(temperature=0)


def load(checkpoint: Checkpoint, **options: Any) -> NativeRunner:
    sizes: dict[str, Any] = {
        "num_blocks": BLOCKS,
        "block_size": BLOCK_SIZE,
        "max_rows": ROWS,
        "threads": 1,
    }
    return NativeRunner.from_checkpoint(checkpoint, name="smollm2", **(sizes | options))


@pytest.fixture(scope="module")
def runner(checkpoint: Checkpoint, library: NativeLibrary) -> NativeRunner:
    return load(checkpoint)


@pytest.fixture(scope="module")
def prompt(tokenizer: Tokenizer) -> list[int]:
    return tokenizer.chat([{"role": "user", "content": "Name the capital of France."}])


def one(tokens: Sequence[int], *, context: int | None = None) -> StepBatch:
    """A batch of one sequence."""
    return StepBatch([*tokens], [len(tokens)], [context or len(tokens)], [[3, 1, 6, 2]])


def chosen(runner: NativeRunner | TorchRunner, batch: StepBatch, *draws: Draw) -> list[Sampled]:
    found = runner.step(batch, [list(draws)])[0]
    assert all(isinstance(token, Sampled) for token in found)
    return [token for token in found if isinstance(token, Sampled)]


def logprobs(runner: NativeRunner | TorchRunner, tokens: Sequence[int]) -> TokenLogprobs:
    params = SamplingParams(temperature=0, logprobs=20)
    found = chosen(runner, one(tokens), Draw(params, 0, len(tokens)))[0].logprobs
    assert found
    return found


@pytest.mark.parametrize(("dtype", "nearness"), [("float32", 0.1), ("bfloat16", 0.1), ("auto", 1)])
def test_scores_are_those_of_the_runner_on_torch(
    model_path: Path,
    checkpoint: Checkpoint,
    prompt: list[int],
    dtype: DType,
    nearness: float,
) -> None:
    """Activations have 16 bits beside plain weights, and 8 beside quantised ones."""
    torch = TorchRunner.load(model_path, num_blocks=BLOCKS, block_size=BLOCK_SIZE, device="cpu")
    expected = dict(logprobs(torch, prompt).top)
    found = dict(logprobs(load(checkpoint, dtype=dtype), prompt).top)
    both = expected.keys() & found.keys()
    assert len(both) > 15
    assert all(abs(expected[token] - found[token]) < nearness for token in both)


def test_an_answer_comes_token_by_token(
    runner: NativeRunner, tokenizer: Tokenizer, prompt: list[int]
) -> None:
    tokens = [*prompt]
    new: Sequence[int] = tokens
    for _ in range(8):
        draw = Draw(GREEDY, 0, len(tokens))
        new = [chosen(runner, one(new, context=len(tokens)), draw)[0].token_id]
        tokens += new
    assert len(tokenizer.decode(tokens[len(prompt) :])) > 8


def test_several_rows_of_a_sequence_are_drawn_from(runner: NativeRunner, prompt: list[int]) -> None:
    """As each would be alone: this is how drafted tokens are verified."""
    end = len(prompt)
    alone = [
        chosen(runner, one(prompt[:stop]), Draw(GREEDY, 0, stop))[0]
        for stop in (end - 2, end - 1, end)
    ]
    draws = [Draw(GREEDY, 0, position) for position in (end - 2, end - 1, end)]
    assert chosen(runner, one(prompt), *draws) == alone


def test_sequences_of_a_batch_do_not_disturb_each_other(
    runner: NativeRunner, prompt: list[int]
) -> None:
    other = prompt[::-1]
    alone = [runner.step(one(tokens), [[Draw(GREEDY, 0, 0)]])[0] for tokens in (prompt, other)]
    both = StepBatch(
        prompt + other,
        [len(prompt), len(other)],
        [len(prompt), len(other)],
        [[0, 1, 2], [5, 4, 3, 6, 7]],
    )
    assert runner.step(both, [[Draw(GREEDY, 0, 0)], [Draw(GREEDY, 0, 0)]]) == alone


def test_nothing_is_drawn_where_the_prompt_goes_on(runner: NativeRunner, prompt: list[int]) -> None:
    assert runner.step(one(prompt), [[]]) == [[]]


def test_a_draw_obeys_biases_and_masks(runner: NativeRunner, prompt: list[int]) -> None:
    vocab = runner.config.vocab_size
    only = bytearray(math.ceil(vocab / 32) * 4)
    only[777 // 8] |= 1 << 777 % 8
    biased = replace(GREEDY, logit_bias={555: 100.0})
    draws = [Draw(GREEDY, 0, 9, allowed=bytes(only)), Draw(biased, 0, 9)]
    assert [token.token_id for token in chosen(runner, one(prompt), *draws)] == [777, 555]


def test_a_token_that_was_generated_is_less_likely_where_it_is_penalised(
    runner: NativeRunner, prompt: list[int]
) -> None:
    likely = chosen(runner, one(prompt), Draw(GREEDY, 0, 9))[0].token_id
    params = replace(GREEDY, presence_penalty=2.0, frequency_penalty=2.0)
    draw = Draw(params, 0, 9, generated={likely: 30})
    assert chosen(runner, one(prompt), draw)[0].token_id != likely


def test_a_grammar_that_allows_nothing_fails_its_sequence_alone(
    runner: NativeRunner, prompt: list[int]
) -> None:
    nothing = bytes(math.ceil(runner.config.vocab_size / 32) * 4)
    found = runner.step(one(prompt), [[Draw(GREEDY, 0, 9, allowed=nothing), Draw(GREEDY, 0, 9)]])[0]
    assert isinstance(found[0], TensorError)
    assert isinstance(found[1], Sampled)


def test_log_probabilities_are_reported_only_to_those_who_ask(
    runner: NativeRunner, prompt: list[int]
) -> None:
    silent, bare, full = (
        chosen(runner, one(prompt), Draw(replace(GREEDY, logprobs=count), 0, 9))[0].logprobs
        for count in (None, 0, 3)
    )
    assert silent is None
    assert bare
    assert full
    assert (bare.top, bare.logprob) == ((), full.logprob)
    assert len(full.top) == 3
    assert full.top[0] == (full.token_id, full.logprob)


VOCAB = 49_152


@pytest.mark.parametrize(
    "batch",
    [
        StepBatch([], [], [], []),
        StepBatch([-1], [1], [1], [[0]]),
        StepBatch([VOCAB], [1], [1], [[0]]),
        StepBatch([1], [1], [1], [[BLOCKS]]),
        StepBatch([1], [1], [1], [[-1]]),
        StepBatch([1], [1], [1], [[0], [1]]),
        StepBatch([1], [1], [17], [[0]]),
        StepBatch([1], [1], [1], [[]]),
        StepBatch([1], [1], [1 << 40], [[0]]),
        StepBatch([1], [1], [0], [[0]]),
        StepBatch([1], [2], [2], [[0]]),
        StepBatch([1], [1, 0], [1, 0], [[0], [0]]),
        StepBatch([1], [0, 1], [1, 1], [[0], [0]]),
        StepBatch([1, 1], [3, -1], [3, 1], [[0], [0]]),
        StepBatch([1] * (ROWS + 1), [ROWS + 1], [ROWS + 1], [[0, 1, 2, 3, 4, 5, 6]]),
        StepBatch([1], [1], [9000], [[0] * 1000]),
    ],
)
def test_a_step_that_would_reach_beyond_its_memory_is_refused(
    runner: NativeRunner, batch: StepBatch
) -> None:
    with pytest.raises(TensorError):
        runner.step(batch, [[] for _ in batch.query_lengths])


@pytest.mark.parametrize(
    "draws",
    [
        [],
        [[Draw(GREEDY, 0, 1)] * 2],
        [[Draw(GREEDY, 0, 1, allowed=b"\xff")]],
        [[Draw(replace(GREEDY, logit_bias={VOCAB: 1.0}), 0, 1)]],
        [[Draw(replace(GREEDY, logit_bias={-1: 1.0}), 0, 1)]],
    ],
)
def test_a_draw_that_would_reach_beyond_its_memory_is_refused(
    runner: NativeRunner, draws: list[list[Draw]]
) -> None:
    with pytest.raises(TensorError):
        runner.step(one([1]), draws)


def test_a_cache_that_does_not_fit_is_said_to(checkpoint: Checkpoint) -> None:
    with pytest.raises(OutOfMemory):
        load(checkpoint, num_blocks=1 << 30)


def test_a_model_that_the_kernels_cannot_run_is_said_to_be_one(
    checkpoint: Checkpoint, library: NativeLibrary
) -> None:
    assert why_not_native(checkpoint.config, 16) is None
    odd = replace(checkpoint.config, hidden_size=100)
    assert why_not_native(odd, 16) == "its hidden size is not a multiple of 32"
