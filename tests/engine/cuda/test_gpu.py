"""What only a GPU can show: the runner with compiled kernels, and steps replayed as graphs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.settings import DType
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

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma-2", "gpt-2"])
def test_a_gpu_computes_what_a_cpu_does(tmp_path: Path, family: str, dtype: DType) -> None:
    """Prompts, then decoding in changing company: eagerly, captured, and replayed."""
    write_model(tmp_path, CONFIGURATIONS[family])
    size: Any = {"num_blocks": 4 * BLOCKS_EACH, "block_size": BLOCK_SIZE}
    exact = TorchRunner.load(tmp_path, device="cpu", dtype="float32", **size)
    runner = TorchRunner.load(tmp_path, device="cuda", dtype=dtype, **size)
    talks = [
        Conversation(tokens(count + 12, SMALL["vocab_size"], seed=number), number)
        for number, count in enumerate([250, 60, 17, 3])
    ]
    steps = [[(talk, 0, len(talk.tokens) - 12) for talk in talks]]
    steps += [
        [(talk, len(talk.tokens) - left, len(talk.tokens) - left + 1) for talk in talks[:company]]
        for left, company in zip(range(12, 0, -1), [4] * 4 + [3] * 4 + [2] * 4, strict=True)
    ]
    for parts in steps:
        batch, counts = batch_of(*parts), [1] * len(parts)
        expected, got = exact.forward(batch, counts), runner.forward(batch, counts).cpu()
        if dtype == "float32":
            torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-3)
        else:
            exact_log, rough_log = expected.log_softmax(-1), got.log_softmax(-1)
            assert (exact_log.exp() * (exact_log - rough_log)).sum(-1).max() < 0.05
