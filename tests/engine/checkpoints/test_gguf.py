"""A GGUF file is read as llama.cpp writes it, and a hostile one is refused."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.quants import quantize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormproof.engine.checkpoints.architecture import Family
from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.checkpoints.gguf_file import GGUFFile
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.engine.tokens.gguf_tokenizer import pre_tokenizer
from stormproof.errors import ModelLoadError

HIDDEN, HEADS, KV_HEADS, INNER = 64, 4, 2, 96
TOKENS = ["Ġ", *"abcdef", "ab", "<|im_start|>", "<|im_end|>", "<think>"]
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

Write = Callable[[gguf.GGUFWriter], None]


def tensors(vocab: int = len(TOKENS)) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    narrow = HIDDEN * KV_HEADS // HEADS
    shapes = {
        "token_embd": (vocab, HIDDEN),
        "output_norm": (HIDDEN,),
        "blk.0.attn_norm": (HIDDEN,),
        "blk.0.attn_q": (HIDDEN, HIDDEN),
        "blk.0.attn_k": (narrow, HIDDEN),
        "blk.0.attn_v": (narrow, HIDDEN),
        "blk.0.attn_output": (HIDDEN, HIDDEN),
        "blk.0.ffn_norm": (HIDDEN,),
        "blk.0.ffn_gate": (INNER, HIDDEN),
        "blk.0.ffn_up": (INNER, HIDDEN),
        "blk.0.ffn_down": (HIDDEN, INNER),
    }
    generator = np.random.default_rng(0)
    return {
        f"{name}.weight": generator.standard_normal(shape, np.float32)
        for name, shape in shapes.items()
    }


def write(path: Path, more: Write = lambda _: None, *, arch: str = "llama") -> Path:
    """Writes a tiny model; ``more`` adds to it, or overrides."""
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([NORMAL] * 8 + [CONTROL, CONTROL, USER_DEFINED])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(8)
    writer.add_eos_token_id(9)
    for name, numbers in tensors().items():
        writer.add_tensor(name, numbers)
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


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


def interleaved(numbers: Any, heads: int) -> Any:
    """What llama.cpp's converter does to the query and key projections of a Llama."""
    halves = numbers.reshape(heads, 2, -1, *numbers.shape[1:])
    return halves.swapaxes(1, 2).reshape(numbers.shape)


def test_the_architecture_is_read(tiny: Path) -> None:
    config = open_checkpoint(tiny).config
    assert config.family is Family.LLAMA
    assert (config.vocab_size, config.head_dim, config.max_context) == (len(TOKENS), 16, 64)
    assert config.tied_embeddings
    assert (config.bos_id, config.eos_ids) == (8, frozenset({9}))


def test_the_projections_of_a_llama_are_put_back_in_order(tiny: Path) -> None:
    checkpoint = open_checkpoint(tiny)
    for part, stored, heads in [("q", "attn_q", HEADS), ("k", "attn_k", KV_HEADS)]:
        weight = checkpoint.tensor(f"model.layers.0.self_attn.{part}_proj.weight").numbers()
        assert np.array_equal(interleaved(weight, heads), tensors()[f"blk.0.{stored}.weight"])


def test_those_of_a_qwen_never_left_it(tmp_path: Path) -> None:
    def norms(writer: gguf.GGUFWriter) -> None:
        writer.add_tensor("blk.0.attn_q_norm.weight", np.ones(16, np.float32))
        writer.add_tensor("blk.0.attn_k_norm.weight", np.ones(16, np.float32))

    checkpoint = open_checkpoint(write(tmp_path / "q.gguf", norms, arch="qwen3"))
    assert checkpoint.config.family is Family.QWEN3
    assert checkpoint.config.qk_norm
    weight = checkpoint.tensor("model.layers.0.self_attn.q_proj.weight").numbers()
    assert np.array_equal(weight, tensors()["blk.0.attn_q.weight"])


@pytest.mark.parametrize("encoding", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_quantised_tensors_are_close_to_what_they_were(tmp_path: Path, encoding: str) -> None:
    kind = gguf.GGMLQuantizationType[encoding]
    numbers = np.random.default_rng(1).standard_normal((8, 64), np.float32)

    def quantised(writer: gguf.GGUFWriter) -> None:
        writer.add_tensor("extra.weight", quantize(numbers, kind), raw_dtype=kind)

    read = GGUFFile(write(tmp_path / "q.gguf", quantised)).tensor("extra.weight").numbers()
    assert read.shape == numbers.shape
    assert np.abs(read - numbers).max() < 0.5


def test_biases_are_found(tmp_path: Path) -> None:
    def biases(writer: gguf.GGUFWriter) -> None:
        for part, size in [("q", HIDDEN), ("k", 32), ("v", 32)]:
            writer.add_tensor(f"blk.0.attn_{part}.bias", np.ones(size, np.float32))

    checkpoint = open_checkpoint(write(tmp_path / "q.gguf", biases, arch="qwen2"))
    assert checkpoint.config.qkv_bias
    bias = checkpoint.tensor("model.layers.0.self_attn.v_proj.bias").numbers()
    assert np.array_equal(bias, np.ones(32))


def test_the_divisors_of_llama_3_slow_rope_down(tmp_path: Path) -> None:
    divisors = np.array([1, 1, 2, 2, 4, 4, 8, 8], np.float32)

    def scaled(writer: gguf.GGUFWriter) -> None:
        writer.add_tensor("rope_freqs.weight", divisors)

    plain = open_checkpoint(write(tmp_path / "plain.gguf")).config.rope_tables[0]
    slowed = open_checkpoint(write(tmp_path / "slow.gguf", scaled)).config.rope_tables[0]
    assert np.allclose(np.array(plain) / divisors, slowed)


def test_linear_scaling_slows_rope_down(tmp_path: Path) -> None:
    def scaled(writer: gguf.GGUFWriter) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)

    assert open_checkpoint(write(tmp_path / "l.gguf", scaled)).config.rope_tables[0][0] == 0.25


def test_the_tokenizer_knows_every_kind_of_token(tiny: Path) -> None:
    tokenizer = open_checkpoint(tiny).tokenizer()
    assert tokenizer.encode("ab<think><|im_end|>", special=True) == [7, 10, 9]
    assert 9 not in tokenizer.encode("<|im_end|>", special=False)
    assert tokenizer.eos_ids == {9}
    assert tokenizer.prompt("ab") == [7]


def test_a_prompt_begins_with_bos_where_the_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "bos.gguf", lambda writer: writer.add_add_bos_token(value=True))
    assert open_checkpoint(path).tokenizer().prompt("ab") == [8, 7]


SPLITS = {
    "gpt-2": ["I", "'ve", " 1234", "  ", " x"],
    "smollm": ["I", "'ve", " ", "1", "2", "3", "4", "  ", " x"],
    "llama-bpe": ["I", "'ve", " ", "123", "4", "  ", " x"],
    "qwen2": ["I", "'ve", " ", "1", "2", "3", "4", "  ", " x"],
    "tekken": ["I", "'ve", " ", "1", "2", "3", "4", "  ", " x"],
}


@pytest.mark.parametrize("name", SPLITS)
def test_text_is_cut_into_words_as_the_model_was_trained(name: str) -> None:
    words = pre_tokenizer(name).pre_tokenize_str("I've 1234   x")
    assert [word.replace("Ġ", " ") for word, _ in words] == SPLITS[name]


def text(key: str, value: str) -> Write:
    return lambda writer: replace(writer, key, value, gguf.GGUFValueType.STRING)


def number(key: str, value: int) -> Write:
    return lambda writer: replace(writer, key, value, gguf.GGUFValueType.UINT32)


def replace(writer: gguf.GGUFWriter, key: str, value: Any, kind: gguf.GGUFValueType) -> None:
    writer.kv_data[0].pop(key, None)
    writer.add_key_value(key, value, kind)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (text("general.architecture", "phi3"), "'phi3' is not supported; these are: llama"),
        (number("llama.expert_count", 8), "mixture of experts"),
        (number("llama.rope.dimension_count", 8), "part of each head"),
        (text("llama.rope.scaling.type", "yarn"), "RoPE scaling"),
        (number("llama.attention.head_count", 0), "head_count must be an integer from 1"),
        (number("tokenizer.ggml.eos_token_id", 1000), "outside its vocabulary"),
        (number("general.alignment", 0), "alignment"),
        (text("tokenizer.ggml.model", "t5"), "neither a byte-level BPE nor SentencePiece"),
        (text("tokenizer.ggml.pre", "chameleon"), "a way that is not known: 'chameleon'"),
        (text("tokenizer.ggml.tokens", "none"), "missing, or not a list of texts"),
    ],
)
def test_an_unsupported_file_is_refused_in_clear_words(
    tmp_path: Path, change: Write, reason: str
) -> None:
    path = write(tmp_path / "bad.gguf", change)
    with pytest.raises(ModelLoadError, match=reason):
        read_everything(path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", number("llama.block_count", 2))
    with pytest.raises(ModelLoadError, match=r"blk\.1\..* is missing"):
        read_everything(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"PK\x03\x04" + bytes(100), "not a GGUF file"),
        (b"GGUF" + bytes(100), "another version"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "ends inside its header"),
    ],
)
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=reason):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("kind", "count"), [(gguf.GGUFValueType.STRING, 1 << 30), (gguf.GGUFValueType.UINT8, 1 << 32)]
)
def test_a_header_that_would_fill_the_memory_is_refused_at_once(
    tmp_path: Path, kind: gguf.GGUFValueType, count: int
) -> None:
    """The file is as large as it says, and takes up no room on the disk."""
    path = tmp_path / "x.gguf"
    array = struct.pack("<Q1sIIQ", 1, b"a", gguf.GGUFValueType.ARRAY, kind, count)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + array)
    os.truncate(path, 1 << 34)
    with pytest.raises(ModelLoadError, match="header is too large"):
        open_checkpoint(path)


def test_a_vector_that_is_quantised_is_refused(tmp_path: Path) -> None:
    """Its rows, which are its numbers, could not be told apart."""
    kind = gguf.GGMLQuantizationType.Q8_0

    def quantised(writer: gguf.GGUFWriter) -> None:
        numbers = quantize(np.ones((1, 64), np.float32), kind)[0]
        writer.add_tensor("extra.bias", numbers, raw_dtype=kind)

    with pytest.raises(ModelLoadError, match="whole blocks"):
        open_checkpoint(write(tmp_path / "v.gguf", quantised))


def test_a_missing_file_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="does not exist"):
        open_checkpoint(tmp_path / "nothing.gguf")


def test_a_file_cut_short_is_refused(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny.read_bytes()[:-1000])
    with pytest.raises(ModelLoadError, match="cut short"):
        open_checkpoint(path)


HEADER = 2500


@given(data=st.data())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_anywhere_is_a_load_error_or_harmless(
    tiny: Path, tmp_path: Path, data: st.DataObject
) -> None:
    whole = tiny.read_bytes()
    at = data.draw(st.integers(0, HEADER))
    damage = data.draw(st.one_of(st.none(), st.binary(min_size=1, max_size=8)))
    damaged = whole[:at] if damage is None else whole[:at] + damage + whole[at + len(damage) :]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    assert str(tmp_path) not in complaint(path)
