"""A model folder is read as Hugging Face lays it out, and a hostile one is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from stormproof.engine.architecture import Family
from stormproof.engine.checkpoint import open_checkpoint
from stormproof.engine.huggingface_config import parse_config
from stormproof.engine.loading import Unusable
from stormproof.engine.runner import TorchRunner
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
        save_file({name: whole.tensor(name) for name in tensors}, copy / file)
    weight_map = {name: file for file, tensors in parts.items() for name in tensors}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (copy / "model.safetensors").unlink()
    sharded = open_checkpoint(copy)
    assert all(torch.equal(sharded.tensor(n), whole.tensor(n)) for n in whole_names(folder))


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
        ({"model_type": "gemma2"}, "'gemma2' is not supported; these are: llama, mistral"),
        ({"model_type": None}, "model_type is missing"),
        ({"hidden_size": 1 << 40}, "hidden_size must be an integer"),
        ({"num_key_value_heads": 3, "num_attention_heads": 4}, "shared evenly"),
        ({"head_dim": 7}, "odd"),
        ({"hidden_act": "gelu"}, "SiLU"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"partial_rotary_factor": 0.5}, "part of each head"),
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


def test_a_sliding_window_bounds_the_context() -> None:
    """Within its window a sliding model is a full one; beyond it, it is not run."""
    assert parse_config(CONFIG | {"model_type": "mistral", "sliding_window": 40}).max_context == 40
    unused = {"model_type": "qwen2", "sliding_window": 40, "use_sliding_window": False}
    assert parse_config(CONFIG | unused).max_context == 64


def test_the_generation_settings_may_name_more_ends() -> None:
    assert parse_config(CONFIG, {"eos_token_id": [2, 3]}).eos_ids == {2, 3}


def test_rope_is_read_from_the_old_keys_and_the_new() -> None:
    scaling = {"rope_type": "linear", "factor": 2.0}
    old = parse_config(CONFIG | {"rope_theta": 5e5, "rope_scaling": scaling})
    new = parse_config(CONFIG | {"rope_parameters": {"rope_theta": 5e5} | scaling})
    assert old.rope_frequencies == new.rope_frequencies
    assert old.rope_frequencies[0] == 0.5
