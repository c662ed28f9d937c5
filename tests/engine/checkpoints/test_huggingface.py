"""A model folder is read as Hugging Face lays it out, and a hostile one is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import decoders, models, pre_tokenizers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from stormproof.engine.checkpoints.architecture import Family, LayerKind
from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.checkpoints.huggingface_config import parse_config
from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.errors import ModelLoadError

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "eos_token_id": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with everything that a folder may have."""
    folder = tmp_path_factory.mktemp("tiny")
    options = {key: value for key, value in CONFIG.items() if key != "model_type"}
    LlamaForCausalLM(LlamaConfig(**options)).save_pretrained(folder)
    letters = {letter: index for index, letter in enumerate("Ġabcdefghij<|>")}
    backend = tokenizers.Tokenizer(models.BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<s>"])
    backend.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": {"content": "<s>"}, "chat_template": "{{ bos_token }}a"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The folder once more, for a test to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def read_everything(path: Path) -> None:
    open_checkpoint(path).tokenizer()
    TorchRunner.load(path, num_blocks=1, block_size=16, device="cpu")


def complaint(path: Path) -> str:
    """What reading everything complains of; nothing when it succeeds."""
    try:
        read_everything(path)
    except ModelLoadError as error:
        return str(error)
    return ""


def test_a_folder_is_read(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    assert checkpoint.config.family is Family.LLAMA
    assert checkpoint.tensor("model.embed_tokens.weight").shape == (32, 16)
    assert checkpoint.tokenizer().chat([]) == checkpoint.tokenizer().encode("<s>a", special=True)


def test_weights_in_several_files_are_one_model(folder: Path, copy: Path) -> None:
    whole = open_checkpoint(folder)
    names = [name for name in whole_names(folder) if "embed" in name]
    parts = {"a.safetensors": names, "b.safetensors": whole_names(folder) - set(names)}
    for file, tensors in parts.items():
        numbers = {name: torch.tensor(whole.tensor(name).numbers()) for name in tensors}
        save_file(numbers, copy / file)
    weight_map = {name: file for file, tensors in parts.items() for name in tensors}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (copy / "model.safetensors").unlink()
    sharded = open_checkpoint(copy)
    for name in whole_names(folder):
        assert np.array_equal(sharded.tensor(name).numbers(), whole.tensor(name).numbers())


def whole_names(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        return set(opened.keys())


def test_a_template_in_a_file_of_its_own_is_preferred(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text("b")
    tokenizer = open_checkpoint(copy).tokenizer()
    assert tokenizer.decode(tokenizer.chat([])) == "b"


def test_of_several_templates_the_default_is_used(copy: Path) -> None:
    templates = [{"name": "tools", "template": "c"}, {"name": "default", "template": "d"}]
    (copy / "tokenizer_config.json").write_text(json.dumps({"chat_template": templates}))
    tokenizer = open_checkpoint(copy).tokenizer()
    assert tokenizer.decode(tokenizer.chat([])) == "d"


def test_an_index_cannot_name_a_file_outside_the_folder(copy: Path) -> None:
    index = {"weight_map": {"lm_head.weight": "../tiny/model.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadError, match="outside its folder"):
        open_checkpoint(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelLoadError, match=f"{name} is missing"):
        read_everything(copy)


def test_a_missing_folder_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="does not exist") as caught:
        open_checkpoint(tmp_path / "nothing")
    assert str(tmp_path) not in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"PK")
    with pytest.raises(ModelLoadError, match=r"neither a \.gguf file nor a folder"):
        open_checkpoint(tmp_path / "model.bin")


FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


@given(name=st.sampled_from(FILES), data=st.data())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_anywhere_is_a_load_error_or_harmless(
    folder: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    whole = (folder / name).read_bytes()
    at = data.draw(st.integers(0, min(len(whole), 4000) - 1))
    damage = data.draw(st.one_of(st.none(), st.binary(min_size=1, max_size=8)))
    damaged = whole[:at] if damage is None else whole[:at] + damage + whole[at + len(damage) :]
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    (copy / name).write_bytes(damaged)
    assert str(tmp_path) not in complaint(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "phi3"}, "'phi3' is not supported; these are: llama, mistral"),
        ({"model_type": None}, "model_type is missing"),
        ({"hidden_size": 1 << 40}, "hidden_size must be an integer"),
        ({"num_key_value_heads": 3, "num_attention_heads": 4}, "shared evenly"),
        ({"head_dim": 7}, "odd"),
        ({"hidden_act": "gelu"}, "'gelu' is not supported; these are: silu"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"partial_rotary_factor": 0.5}, "part of each head"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "looks ahead"),
        ({"scale_attn_weights": False}, "scales attention"),
        ({"layer_types": ["full_attention"] * 2}, "one for each layer"),
        ({"layer_types": ["linear_attention"]}, "kind of attention"),
        ({"layer_types": "full_attention"}, "layer_types must be a list"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "RoPE scaling"),
        ({"eos_token_id": 32}, "outside its vocabulary"),
        ({"bos_token_id": 32}, "outside its vocabulary"),
    ],
)
def test_an_unsupported_architecture_is_refused_in_clear_words(
    change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unusable, match=reason):
        parse_config(CONFIG | change)


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "mistral": ({"model_type": "mistral", "sliding_window": 40}, "ssss"),
    "mistral without": ({"model_type": "mistral", "sliding_window": None}, "...."),
    "qwen2 without": ({"model_type": "qwen2", "sliding_window": 40}, "...."),
    "qwen2": (
        {
            "model_type": "qwen2",
            "sliding_window": 40,
            "use_sliding_window": True,
            "max_window_layers": 3,
        },
        "...s",
    ),
    "gemma2": ({"model_type": "gemma2", "sliding_window": 40}, "s.s."),
    "gemma3": ({"model_type": "gemma3_text", "sliding_window": 40}, "tttt"),
    "listed": (
        {
            "model_type": "gemma3_text",
            "sliding_window": 40,
            "layer_types": ["full_attention", *["sliding_attention"] * 3],
        },
        ".ttt",
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_each_layer_has_its_window_and_its_rope(name: str) -> None:
    """A dot for a layer that sees everything, t for one that slides and turns in its own way."""
    change, kinds = KINDS[name]
    known = {".": LayerKind(), "s": LayerKind(40), "t": LayerKind(40, rope=1)}
    config = parse_config(CONFIG | {"num_hidden_layers": 4} | change)
    assert [config.kind(layer) for layer in range(4)] == [known[kind] for kind in kinds]


def test_every_sixth_layer_of_gemma_3_sees_everything() -> None:
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    }
    config = parse_config({"model_type": "gemma3", "text_config": text, "eos_token_id": [1, 106]})
    far = [layer for layer in range(34) if config.kind(layer) == LayerKind()]
    assert far == [5, 11, 17, 23, 29]
    assert (config.heads, config.kv_heads, config.head_dim) == (8, 4, 256)
    assert [table[0] for table in config.rope_tables] == [1 / 8, 1]
    assert config.rope_tables[0][1] * 8 == pytest.approx(1e6 ** (-2 / 256))
    assert config.eos_ids == {1, 106}


def test_the_part_that_writes_is_found_in_a_model_that_sees(tmp_path: Path) -> None:
    """As it was saved before transformers 5, and since."""
    text = Gemma3TextConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=24, head_dim=8,
    )  # fmt: skip
    Gemma3ForCausalLM(text).save_pretrained(tmp_path)
    expected = logits(tmp_path)
    config = {"model_type": "gemma3", "text_config": text.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    written = load_file(tmp_path / "model.safetensors")
    for new in ("language_model.model.", "model.language_model."):
        renamed = {name.replace("model.", new, 1): weight for name, weight in written.items()}
        save_file(renamed, tmp_path / "model.safetensors")
        assert torch.equal(logits(tmp_path), expected)


def logits(path: Path) -> torch.Tensor:
    runner = TorchRunner.load(path, num_blocks=1, block_size=16, device="cpu")
    return runner.forward(StepBatch([1, 2], [2], [2], [[0]]), counts=[1])


def test_the_generation_settings_may_name_more_ends() -> None:
    assert parse_config(CONFIG, {"eos_token_id": [2, 3]}).eos_ids == {2, 3}


def test_rope_is_read_from_the_old_keys_and_the_new() -> None:
    scaling = {"rope_type": "linear", "factor": 2.0}
    old = parse_config(CONFIG | {"rope_theta": 5e5, "rope_scaling": scaling})
    new = parse_config(CONFIG | {"rope_parameters": {"rope_theta": 5e5} | scaling})
    assert old.rope_tables[0] == new.rope_tables[0]
    assert old.rope_tables[0][0] == 0.5
