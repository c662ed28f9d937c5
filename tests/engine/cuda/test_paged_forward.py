"""The kernels of a GPU compute the logits that plain PyTorch computes."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PretrainedConfig

from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.pytorch.gathered_forward import GatheredForward
from stormproof.engine.pytorch.kv_cache import KVCache
from stormproof.engine.pytorch.transformer_loading import load_transformer
from stormproof.errors import TensorError
from support.small_models import (
    BLOCK_SIZE,
    BLOCKS_EACH,
    CONFIGURATIONS,
    SMALL,
    Conversation,
    batch_of,
    tokens,
    write_model,
)

pytest.importorskip("triton")
from stormproof.engine.cuda.paged_batch import lay_out_decoding, on_device
from stormproof.engine.cuda.paged_forward import PagedForward

FAMILIES = ["llama-one-kv-head", "qwen3", "gemma-2", "gpt-2"]


class Both:
    """A model's two ways to compute, with one cache: what one has read, the other goes on with."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        checkpoint = open_checkpoint(folder)
        kind: Any = {"device": device, "dtype": torch.float32}
        self.cache = KVCache(
            checkpoint.config, num_blocks=3 * BLOCKS_EACH, block_size=BLOCK_SIZE, **kind
        )
        transformer = load_transformer(checkpoint, **kind)
        self.plain = GatheredForward(transformer, self.cache)
        self.paged = PagedForward(transformer, self.cache)


def shallow(config: PretrainedConfig) -> PretrainedConfig:
    """The first two layers: the interpreter is slow."""
    return type(config)(**config.to_dict() | {"num_hidden_layers": 2, "layer_types": None})


@pytest.fixture(params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path: Path, device: torch.device) -> Both:
    write_model(tmp_path, shallow(CONFIGURATIONS[request.param]))
    return Both(tmp_path, device)


@pytest.fixture
def llama(tmp_path: Path, device: torch.device) -> Both:
    write_model(tmp_path, shallow(CONFIGURATIONS["llama"]))
    return Both(tmp_path, device)


def test_any_mix_of_reading_and_decoding(both: Both) -> None:
    """A context in two splits, a chunk that goes on, another that begins, and one last token."""
    long, going, fresh = (
        Conversation(tokens(count, SMALL["vocab_size"], seed=number), number)
        for number, count in enumerate([290, 45, 5])
    )
    with torch.inference_mode():
        both.cache.layer(0)[0].fill_(math.nan)  # nobody may see what was there before
        both.plain(batch_of((long, 0, 289), (going, 0, 40)), [0, 0])
        batch = batch_of((long, 289, 290), (going, 40, 45), (fresh, 0, 5))
        got = both.paged(batch, [1, 3, 1])
        expected = both.plain(batch, [1, 3, 1])
    assert got.shape == (5, SMALL["vocab_size"])
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


def test_company_does_not_change_a_decoding_sequence(llama: Both) -> None:
    """A longer neighbour adds splits, which are empty for the shorter sequence."""
    long, short = (
        Conversation(tokens(count, SMALL["vocab_size"], seed=number), number)
        for number, count in enumerate([290, 20])
    )
    with torch.inference_mode():
        llama.plain(batch_of((long, 0, 289), (short, 0, 19)), [0, 0])
        alone = llama.paged(batch_of((short, 19, 20)), [1])
        together = llama.paged(batch_of((long, 289, 290), (short, 19, 20)), [1, 1])
    torch.testing.assert_close(together[1:], alone, atol=1e-6, rtol=1e-6)


def test_a_batch_filled_up_for_a_graph_computes_the_same(llama: Both) -> None:
    """Three sequences become four, two splits of the longest context stay two."""
    talks = [
        Conversation(tokens(count, SMALL["vocab_size"], seed=number), number)
        for number, count in enumerate([290, 20, 2])
    ]
    batch = batch_of(*((talk, len(talk.tokens) - 1, len(talk.tokens)) for talk in talks))
    layout = lay_out_decoding(batch, block_size=BLOCK_SIZE)
    with torch.inference_mode():
        llama.plain(batch_of(*((talk, 0, len(talk.tokens) - 1) for talk in talks)), [0, 0, 0])
        flat = on_device(layout.flat(), llama.cache.layer(0)[0].device)
        rows = llama.paged._rows(layout.batch(flat))
        expected = llama.plain(batch, [1, 1, 1])
        got = llama.paged._transformer.logits(rows[:3])
    assert (len(rows), layout.splits) == (4, 2)
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


def test_a_block_outside_the_cache_is_a_tensor_error(llama: Both) -> None:
    """A kernel that wrote there would write into somebody else's memory."""
    batch = batch_of((Conversation([1]), 0, 1))
    for block in (-1, llama.cache.num_blocks):
        with pytest.raises(TensorError, match="outside the cache"):
            llama.paged(replace(batch, block_tables=[[block]]), [1])
