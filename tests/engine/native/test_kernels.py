"""Every set of kernels computes what `transformers` computes, and always the same."""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from gguf import GGMLQuantizationType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)

from stormproof.engine.checkpoints.architecture import Family, ModelConfig
from stormproof.engine.checkpoints.checkpoint import Checkpoint, open_checkpoint
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.native.library import NativeEngine, NativeLibrary
from stormproof.engine.native.packed_weights import PackedWeights
from stormproof.engine.native.structures import SpDraw, SpStep
from stormproof.engine.settings import DType
from stormproof.engine.tokens.tokenizer import Tokenizer
from support.small_models import AUTO_MODEL, write_model
from support.small_models import SMALL as USUAL
from support.stored_tensors import stored_tensor

KERNELS = ("portable", "avx2", "avx512", "avx512-bf16")
BLOCKS, BLOCK_SIZE, ROWS, VOCAB = 40, 16, 96, 321
TABLE = [(7 * i + 3) % BLOCKS for i in range(BLOCKS)]

# A vocabulary and heads that no tile divides, and a window that ends inside a block.
SMALL = USUAL | {
    "vocab_size": VOCAB,
    "hidden_size": 96,
    "num_attention_heads": 6,
    "intermediate_size": 160,
    "max_position_embeddings": 640,
}
CONFIGURATIONS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SMALL, head_dim=16, attention_bias=True, mlp_bias=True),
    "one key head": LlamaConfig(**SMALL | {"num_key_value_heads": 1}, head_dim=48),
    "qwen3": Qwen3Config(**SMALL, head_dim=32, tie_word_embeddings=True),
    "gemma-2": Gemma2Config(
        **SMALL,
        head_dim=32,
        query_pre_attn_scalar=24,
        sliding_window=37,
        attn_logit_softcapping=0.5,
        final_logit_softcapping=2.0,
    ),
    "gemma-3": Gemma3TextConfig(
        **SMALL,
        head_dim=32,
        sliding_window=300,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
    "gpt-2": GPT2Config(
        vocab_size=VOCAB,
        n_embd=96,
        n_layer=3,
        n_head=6,
        n_positions=640,
        bos_token_id=1,
        eos_token_id=2,
    ),
}

Logits = npt.NDArray[np.float32]


@pytest.fixture(params=KERNELS)
def kernels(request: pytest.FixtureRequest, library: NativeLibrary) -> Iterator[str]:
    """Each set of kernels that this processor can run, in use for a test."""
    usual, name = library.kernels, request.param
    if not library.use_kernels(name):
        pytest.skip(f"this processor cannot run {name}")
    yield name
    library.use_kernels(usual)


class Model:
    """A small model on an engine of its own.

    Args:
        library: The kernels.
        checkpoint: The model.
        dtype: What its matrices become.
        threads: How many compute.
    """

    def __init__(
        self,
        library: NativeLibrary,
        checkpoint: Checkpoint | Path,
        dtype: DType,
        *,
        threads: int = 2,
    ) -> None:
        if isinstance(checkpoint, Path):
            checkpoint = open_checkpoint(checkpoint)
        weights = PackedWeights(checkpoint, library, dtype=dtype, threads=1)
        self._engine: NativeEngine = library.engine(
            weights.model,
            weights=weights,
            num_blocks=BLOCKS,
            block_size=BLOCK_SIZE,
            max_rows=ROWS,
            max_draws=ROWS,
            threads=threads,
        )

    def logits(self, *parts: tuple[Sequence[int], int, Sequence[int]]) -> Logits:
        """The scores after each row: of the tokens of each sequence, from one of them on.

        Args:
            parts: The tokens up to now, how many of them are in the cache, and the blocks.
        """
        rows = [token for tokens, start, _ in parts for token in tokens[start:]]
        found = np.zeros((len(rows), VOCAB), np.float32)
        draws = (SpDraw * len(rows))(*(SpDraw(row=row, logprobs=-1) for row in range(len(rows))))
        arrays = [
            np.array(numbers, np.int32)
            for numbers in (
                rows,
                [len(tokens) - start for tokens, start, _ in parts],
                [len(tokens) for tokens, _, _ in parts],
                [[*blocks] for _, _, blocks in parts],
            )
        ]
        addresses = [array.ctypes.data for array in arrays]
        self._engine.step(
            SpStep(
                rows=len(rows),
                sequences=len(parts),
                draws=len(rows),
                tokens=addresses[0],
                query_lengths=addresses[1],
                context_lengths=addresses[2],
                block_tables=addresses[3],
                table_stride=arrays[3].shape[1],
                draw=ctypes.cast(draws, ctypes.POINTER(SpDraw)),
                logits=found.ctypes.data,
            )
        )
        return found

    def read(self, tokens: Sequence[int], borders: Sequence[int], blocks: Sequence[int]) -> Logits:
        """The scores after each token of a sequence that is read in chunks."""
        chunks = [
            self.logits((tokens[:end], start, blocks)) for start, end in pairwise([0, *borders])
        ]
        return np.concatenate(chunks)


def tokens(count: int, seed: int = 0) -> list[int]:
    found: list[int] = np.random.default_rng(seed).integers(0, VOCAB, count).tolist()
    return found


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def small(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A folder with a small model of random weights, and the model as `transformers` runs it."""
    folder = tmp_path_factory.mktemp("model")
    return folder, write_model(folder, CONFIGURATIONS[request.param])


def reference(model: Any, sequence: list[int]) -> Logits:
    with torch.inference_mode():
        logits: Logits = model(torch.tensor([sequence])).logits[0].numpy()
    return logits


def divergence(expected: Logits, found: Logits) -> float:
    """Mean Kullback-Leibler divergence of the next token's distribution."""
    p, q = (torch.from_numpy(logits).double().log_softmax(1) for logits in (expected, found))
    return float((p.exp() * (p - q)).sum(1).mean())


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("auto", 5e-3), ("int4", 0.5)])
def test_a_small_model_predicts_what_transformers_predicts(
    small: tuple[Path, Any], library: NativeLibrary, kernels: str, dtype: DType, bound: float
) -> None:
    """Keys and values have 16 bits, and the rows of quantised matrices 8."""
    folder, model = small
    sequence = tokens(400)
    borders = [*range(90, 400, 90), 400]
    found = Model(library, folder, dtype).read(sequence, borders, TABLE)
    assert divergence(reference(model, sequence), found) < bound


@given(cuts=st.sets(st.integers(1, 89), max_size=4), threads=st.integers(1, 3))
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_neither_chunks_nor_threads_nor_blocks_change_a_bit(
    small: tuple[Path, Any], library: NativeLibrary, kernels: str, cuts: set[int], threads: int
) -> None:
    sequence = tokens(90)
    expected = Model(library, small[0], "auto", threads=1).read(sequence, [90], TABLE)
    model = Model(library, small[0], "auto", threads=threads)
    found = model.read(sequence, [*sorted(cuts), 90], TABLE[::-1])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "auto", "int4"])
def test_company_changes_no_bit(
    small: tuple[Path, Any], library: NativeLibrary, kernels: str, dtype: DType
) -> None:
    """Seven sequences of all lengths, some decoding and some prefilling, together and alone."""
    model = Model(library, small[0], dtype)
    lengths = [1, 3, 15, 16, 17, 29, 33]
    talks = [tokens(length, seed) for seed, length in enumerate(lengths)]
    blocks = [TABLE[3 * i : 3 * i + 3] for i in range(len(talks))]
    alone = [model.read(talk, [len(talk)], own) for talk, own in zip(talks, blocks, strict=True)]
    starts = [length - 1 if number % 2 else length // 3 for number, length in enumerate(lengths)]
    together = model.logits(*zip(talks, starts, blocks, strict=True))
    expected = [scores[start:] for scores, start in zip(alone, starts, strict=True)]
    np.testing.assert_array_equal(together, np.concatenate(expected))


def test_a_sequence_of_no_numbers_harms_no_other(
    small: tuple[Path, Any], library: NativeLibrary, kernels: str, tmp_path: Path
) -> None:
    """Its rows have no scores; who gets its blocks later, and who is in the same step, does."""
    folder, _ = small
    model = AUTO_MODEL.from_pretrained(folder)
    with torch.no_grad():
        model.get_input_embeddings().weight[5] = torch.nan
        if not model.config.tie_word_embeddings:
            model.get_output_embeddings().weight[5] = 0
    model.save_pretrained(tmp_path)
    ours = Model(library, tmp_path, "float32")
    well, ill = tokens(20, seed=1), [5] * 20
    well = [token if token != 5 else 6 for token in well]
    expected = ours.read(well, [20], [0, 1])
    scores = ours.logits((ill, 0, [2, 3]), (well, 0, [4, 5]))
    valid = np.arange(VOCAB) != 5  # where the head is the embedding, its row is of no numbers too
    assert np.isnan(scores[:20]).all()
    np.testing.assert_array_equal(scores[20:, valid], expected[:, valid])
    np.testing.assert_array_equal(ours.read(well, [3, 20], [3, 2])[:, valid], expected[:, valid])


def test_steps_of_one_model_differ_between_kernels_by_rounding_alone(
    small: tuple[Path, Any], library: NativeLibrary
) -> None:
    """And AVX-512 does what AVX2 does: only the others fuse less, or round bfloat16 their way."""
    sequence, usual = tokens(60), library.kernels
    every: dict[str, Logits] = {}
    for name in filter(library.use_kernels, KERNELS):
        every[name] = Model(library, small[0], "auto").read(sequence, [60], TABLE)
    library.use_kernels(usual)
    for scores in every.values():
        assert divergence(every["portable"], scores) < 1e-4
    if "avx512" in every:
        np.testing.assert_array_equal(every["avx512"], every["avx2"])


@dataclass(frozen=True)
class Head:
    """A checkpoint of no layers: rows are normalised, and multiplied with a matrix."""

    tensors: Mapping[str, StoredTensor]
    config = ModelConfig(
        family=Family.LLAMA,
        vocab_size=VOCAB,
        hidden_size=64,
        layers=0,
        heads=1,
        kv_heads=1,
        head_dim=64,
        intermediate_size=64,
        max_context=64,
        norm_eps=1e-9,
        attention_scale=1.0,
        rope_tables=((1.0,) * 32,),
    )
    identity = ()

    def tensor(self, name: str) -> StoredTensor:
        return self.tensors[name]

    def tokenizer(self) -> Tokenizer:
        raise NotImplementedError


def test_every_set_of_kernels_multiplies_every_byte_alike(
    library: NativeLibrary, kernels: str
) -> None:
    """Weights down to -128, and activations of either sign: what they sum up to is exact."""
    numbers = np.random.default_rng(3)
    weights = numbers.integers(-128, 128, (VOCAB, 64)).astype(np.int8)
    weights[0] = -128
    rows = numbers.integers(-127, 128, (VOCAB, 64)).astype(np.float32)
    rows[:, ::32], rows[0] = 127, -127  # the greatest of each group, so that 8 bits hold it
    scales = np.ones((VOCAB, 2, 1), np.float16).view(np.uint8)
    octets = np.concatenate([scales, weights.view(np.uint8).reshape(VOCAB, 2, 32)], axis=2)
    head = Head(
        {
            "model.embed_tokens.weight": StoredTensor.of(rows),
            "model.norm.weight": StoredTensor.of(np.ones(64, np.float32)),
            "lm_head.weight": stored_tensor(GGMLQuantizationType.Q8_0, weights.shape, octets),
        }
    )
    found = Model(library, head, "auto").read(range(40), [40], TABLE)
    sizes = np.sqrt((rows[:40] ** 2).mean(1, keepdims=True))  # which the norm divides by
    expected = rows[:40] @ weights.T.astype(np.float32)
    np.testing.assert_array_equal(np.rint(found * sizes), expected)


def test_a_key_that_is_no_number_leaves_no_score_to_what_sees_it(
    library: NativeLibrary, kernels: str, tmp_path: Path
) -> None:
    """However far back it is, and although its value is one."""
    model = AUTO_MODEL.from_config(LlamaConfig(**SMALL | {"num_hidden_layers": 1}))
    with torch.no_grad():
        embedding = model.get_input_embeddings().weight
        embedding[:, 0], embedding[5] = 0, 0
        embedding[5, 0] = 1
        model.model.layers[0].self_attn.k_proj.weight[:, 0] = 1e38  # times what a norm makes of 1
    model.save_pretrained(tmp_path)
    sequence = [*[6] * 20, *[5] * 236, *[7] * 44]
    found = Model(library, tmp_path, "float32").read(sequence, [*range(60, 301, 60)], TABLE)
    assert np.isfinite(found[:20]).all()
    assert np.isnan(found[20:]).all()
