"""Each family computes from a GGUF file what it computes from the folder it was converted from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from stormproof.engine.checkpoints.architecture import Family, LayerKind
from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.checkpoints.gguf import attention_scale
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.scheduling.batch import StepBatch
from support.small_models import SMALL, write_model

Write = Callable[[gguf.GGUFWriter], None]
TOKENS = 60

FAMILIES: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SMALL),
    "qwen2": Qwen2Config(**SMALL),
    "qwen3": Qwen3Config(**SMALL, head_dim=16, tie_word_embeddings=True),
    "gemma": GemmaConfig(**SMALL, head_dim=16),
    "gemma2": Gemma2Config(
        **SMALL,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=20,
        attn_logit_softcapping=0.5,
        final_logit_softcapping=2.0,
    ),
    "gemma3": Gemma3TextConfig(
        **SMALL | {"num_hidden_layers": 7},
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=20,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        },
    ),
    "gpt2": GPT2Config(
        vocab_size=96,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=128,
        bos_token_id=0,
        eos_token_id=0,
    ),
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write_both(folder: Path, family: str, more: Write = lambda _: None) -> tuple[Path, Path]:
    """The same weights as a folder and as a GGUF file, which ``more`` adds to."""
    model = write_model(folder / "folder", FAMILIES[family])
    return folder / "folder", convert(model, family, folder / "model.gguf", more)


def convert(model: Any, family: str, path: Path, more: Write) -> Path:
    """What llama.cpp's converter makes of a model."""
    config = model.config
    layers = config.num_hidden_layers
    writer = gguf.GGUFWriter(path, family)
    writer.add_block_count(layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if family == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if family not in ("llama", "gpt2", "qwen2"):
        writer.add_key_length(config.head_dim)
    if family in ("gemma2", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if family == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if family == "gemma3":
        writer.add_rope_freq_base(1e6)
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(8.0)
    architecture = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == family)
    names = gguf.get_tensor_name_map(architecture, layers)
    tied = config.tie_word_embeddings
    for name, tensor in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        written = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert written, name
        writer.add_tensor(written, converted(name, tensor.numpy(), config))
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def converted(name: str, numbers: Any, config: PretrainedConfig) -> Any:
    if "gemma" in config.model_type and name.endswith("norm.weight"):
        return numbers + np.float32(1)
    if config.model_type == "gpt2" and ".c_" in name and name.endswith(".weight"):
        return np.ascontiguousarray(numbers.T)
    heads = {"q": config.num_attention_heads, "k": getattr(config, "num_key_value_heads", 0)}
    projection = name.split(".")[-2].removesuffix("_proj")
    if config.model_type == "llama" and projection in heads:
        halves = numbers.reshape(heads[projection], 2, -1, *numbers.shape[1:])
        return halves.swapaxes(1, 2).reshape(numbers.shape)
    return numbers


def logits(path: Path) -> torch.Tensor:
    runner = TorchRunner.load(path, num_blocks=4, block_size=16, device="cpu")
    batch = StepBatch(list(range(TOKENS)), [TOKENS], [TOKENS], [[0, 1, 2, 3]])
    return runner.forward(batch, [TOKENS])


def test_a_file_computes_what_its_folder_computes(tmp_path: Path, family: str) -> None:
    folder, file = write_both(tmp_path, family)
    assert torch.equal(logits(file), logits(folder))


def test_where_the_file_says_how_layers_slide_it_counts(tmp_path: Path) -> None:
    def slide(writer: gguf.GGUFWriter) -> None:
        writer.add_sliding_window_pattern(3)
        writer.add_rope_freq_base_swa(100.0)

    config = open_checkpoint(write_both(tmp_path, "gemma3", slide)[1]).config
    assert config.layer_kinds == (LayerKind(20, rope=1), LayerKind(20, rope=1), LayerKind())
    assert config.rope_tables[1][1] == pytest.approx(100 ** (-2 / 16))


@pytest.mark.parametrize(("layers", "scale"), [(26, 1 / 16), (46, 1 / 12)])
def test_the_largest_gemma_2_scales_by_share_of_the_stream(layers: int, scale: float) -> None:
    """144 is what the larger has of 4,608 for each of 32 heads."""
    assert attention_scale(Family.GEMMA2, layers, 256, 144) == pytest.approx(scale)
