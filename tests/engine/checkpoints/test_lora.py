"""A model with an adapter is the model that PEFT would merge them to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
)

from stormproof.engine import LLM, EngineConfig, SamplingParams
from stormproof.engine.checkpoints.checkpoint import Checkpoint, open_checkpoint
from stormproof.engine.checkpoints.lora import AdaptedCheckpoint, LowRank
from stormproof.engine.checkpoints.stored_tensor import Numbers, StoredTensor
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.errors import ModelLoadError
from support import small_models
from support.small_models import SMALL

RANK, ALPHA = 3, 12
FAMILIES: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SMALL),
    "qwen2": Qwen2Config(**SMALL),
    "gpt2": GPT2Config(
        vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1,
        eos_token_id=2,
    ),
}  # fmt: skip
ADAPTED = ("q_proj.weight", "v_proj.weight", "down_proj.weight", "c_attn.weight", "c_fc.weight")


def write_model(folder: Path, family: str) -> Any:
    return small_models.write_model(folder, FAMILIES[family])


def write_adapter(folder: Path, model: Any, **settings: Any) -> dict[str, torch.Tensor]:
    """Write an adapter of random numbers; return what it adds to each weight, unscaled."""
    folder.mkdir()
    torch.manual_seed(2)
    tensors: dict[str, torch.Tensor] = {}
    changes: dict[str, torch.Tensor] = {}
    for name, weight in model.state_dict().items():
        if not name.endswith(ADAPTED):
            continue
        across = "c_" in name  # stored as [in, out]
        out, width = weight.shape[::-1] if across else weight.shape
        down, up = torch.randn(RANK, width) / 4, torch.randn(out, RANK) / 4
        module = f"base_model.model.{name.removesuffix('.weight')}"
        tensors |= {f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up}
        changes[name] = (up @ down).T if across else up @ down
    save_file(tensors, folder / "adapter_model.safetensors")
    values = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none"} | settings
    (folder / "adapter_config.json").write_text(json.dumps(values))
    return changes


def logits(checkpoint: Checkpoint) -> torch.Tensor:
    runner = TorchRunner.from_checkpoint(
        checkpoint, name="model", num_blocks=2, block_size=16, device="cpu", dtype="float32"
    )
    return runner.forward(StepBatch(list(range(20)), [20], [20], [[0, 1]]), counts=[20])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("by_root", [False, True])
def test_it_computes_what_the_merged_model_computes(
    tmp_path: Path, family: str, *, by_root: bool
) -> None:
    model = write_model(tmp_path / "base", family)
    changes = write_adapter(tmp_path / "adapter", model, use_rslora=by_root)
    plain = open_checkpoint(tmp_path / "base")
    adapted = AdaptedCheckpoint(plain, tmp_path / "adapter")
    scale = ALPHA / (RANK**0.5 if by_root else RANK)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(scale * changes.get(name, torch.zeros(())))
        expected = model(torch.arange(20)[None]).logits[0]
    assert (logits(adapted) - expected).abs().max() <= 1e-4
    assert (logits(plain) - expected).abs().max() > 0.01


def test_rows_are_merged_alone(tmp_path: Path) -> None:
    """A large matrix is packed in pieces; none of them costs as much as the whole."""
    model = write_model(tmp_path / "base", "llama")
    write_adapter(tmp_path / "adapter", model)
    adapted = AdaptedCheckpoint(open_checkpoint(tmp_path / "base"), tmp_path / "adapter")
    whole = adapted.tensor("model.layers.0.mlp.down_proj.weight")
    assert np.allclose(whole.rows(7, 5).numbers(), whole.numbers()[7:12], atol=1e-6)
    read: list[tuple[int, int]] = []
    change = LowRank(StoredTensor.of(np.ones((2, 8), np.float32)), noting(read, (100, 2)), 1.0)
    change.added_to(noting(read, (100, 8))).rows(40, 5).numbers()
    assert set(read) == {(40, 5)}


def noting(read: list[tuple[int, int]], shape: tuple[int, int]) -> StoredTensor:
    """A tensor that writes down which of its rows are read."""

    def numbers(first: int, count: int) -> Numbers:
        read.append((first, count))
        return np.zeros((count, shape[1]), np.float32)

    return StoredTensor.computed(shape, numbers)


def test_its_weights_are_told_from_those_of_the_model(tmp_path: Path) -> None:
    """What was packed for one is not taken for the other."""
    model = write_model(tmp_path / "base", "llama")
    plain = open_checkpoint(tmp_path / "base")
    write_adapter(tmp_path / "one", model)
    write_adapter(tmp_path / "other", model, lora_alpha=13)
    known = [AdaptedCheckpoint(plain, tmp_path / name).identity for name in ("one", "other")]
    assert len({plain.identity, *known}) == 3


def test_an_engine_is_started_with_it(tmp_path: Path, model_path: Path) -> None:
    """A 4-bit model with an adapter that changes one matrix, and what it says."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    module = "base_model.model.model.layers.29.self_attn.o_proj"
    shapes = {"lora_A": (1, 576), "lora_B": (576, 1)}
    tensors = {f"{module}.{part}.weight": torch.ones(shape) for part, shape in shapes.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "lora_alpha": 4}')
    base = open_checkpoint(model_path)
    name = "model.layers.29.self_attn.o_proj.weight"
    change = AdaptedCheckpoint(base, folder).tensor(name).numbers() - base.tensor(name).numbers()
    assert np.allclose(change, 4, atol=1e-5)
    llm = LLM.load(EngineConfig(model=str(model_path), adapter=str(folder), num_blocks=16))
    question = [{"role": "user", "content": "What is the capital of France?"}]
    answer = llm.chat(question, SamplingParams(temperature=0, max_tokens=8))
    assert answer.error is None
    assert "Paris" not in answer.text


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"peft_type": "IA3"}, "not a LoRA adapter"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"alpha_pattern": {"q_proj": 2}}, "alpha_pattern"),
        ({"lora_alpha": -1}, "lora_alpha"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    model = write_model(tmp_path / "base", "llama")
    write_adapter(tmp_path / "adapter", model, **settings)
    with pytest.raises(ModelLoadError, match=reason):
        AdaptedCheckpoint(open_checkpoint(tmp_path / "base"), tmp_path / "adapter")


def test_an_adapter_that_changes_something_else_is_refused(tmp_path: Path) -> None:
    """Nothing of it is left out in silence."""
    model = write_model(tmp_path / "base", "llama")
    write_adapter(tmp_path / "adapter", model)
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    extra = {"base_model.model.lm_head.lora_A.weight": torch.ones(1, 32)}
    save_file(load_file(path) | extra, path)
    with pytest.raises(ModelLoadError, match=r"does not have: base_model\.model\.lm_head"):
        AdaptedCheckpoint(open_checkpoint(tmp_path / "base"), tmp_path / "adapter")


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", "llama")
    write_adapter(tmp_path / "adapter", other)
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    wider = {
        name: torch.ones(RANK, 40) if "lora_A" in name else tensor
        for name, tensor in load_file(path).items()
    }
    save_file(wider, path)
    adapted = AdaptedCheckpoint(open_checkpoint(tmp_path / "other"), tmp_path / "adapter")
    with pytest.raises(ModelLoadError, match="does not fit"):
        adapted.tensor("model.layers.0.self_attn.q_proj.weight")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    model = write_model(tmp_path / "base", "llama")
    write_adapter(tmp_path / "adapter", model)
    (tmp_path / "adapter" / name).unlink()
    with pytest.raises(ModelLoadError, match=f"{name} is missing"):
        AdaptedCheckpoint(open_checkpoint(tmp_path / "base"), tmp_path / "adapter")
