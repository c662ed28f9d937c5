"""A text's vector is the one that `transformers` computes, and hostile input is refused."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertModel

from stormproof.engine import BatchProgress, Embedder
from stormproof.engine.embedding.bert import gelu
from stormproof.errors import ContextTooLong, InvalidRequest, ModelLoadError, PromptError
from support.bert_folder import MAX_TOKENS, WORDS, write_bert, write_json

ANY_BERT: Any = BertModel

SENTENCES = [
    "The storm passed over the harbour.",
    "A tempest swept across the port.",
    "My cat prefers tuna to salmon.",
    "",
    "Grüße 你好 🙂 [SEP] not the end",
    "word " * 200,
]


@pytest.fixture(scope="module")
def minilm(embedding_model_path: Path) -> Embedder:
    return Embedder.load(embedding_model_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bert(tmp_path)
    return tmp_path


def reference(model: Any, tokens: list[int], *, first: bool = False) -> Any:
    with torch.inference_mode():
        rows = model(torch.tensor([tokens])).last_hidden_state[0]
    return (rows[0] if first else rows.mean(0)).numpy()


def test_minilm_computes_the_vectors_of_transformers(
    minilm: Embedder, embedding_model_path: Path
) -> None:
    model = ANY_BERT.from_pretrained(embedding_model_path).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(embedding_model_path)
    for text, embedding in zip(SENTENCES, minilm.embed(SENTENCES), strict=True):
        tokens = minilm.tokens(text)
        if "[SEP]" not in text:  # which we take for text
            assert tokens == tokenizer.encode(text)
        expected = reference(model, list(tokens))
        expected /= np.linalg.norm(expected)
        assert embedding.vector @ expected > 0.99999
        assert np.abs(embedding.vector - expected).max() < 1e-5
        assert embedding.tokens == len(tokens)


def test_minilm_finds_what_is_alike(minilm: Embedder) -> None:
    storm, tempest, cat = (found.vector for found in minilm.embed(SENTENCES[:3]))
    assert storm @ tempest > 0.5
    assert storm @ cat < 0.2


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
@pytest.mark.parametrize("normalised", [True, False])
def test_vectors_are_pooled_as_the_model_says(
    tmp_path: Path, pooling: str, *, normalised: bool
) -> None:
    model = write_bert(tmp_path, pooling=pooling, normalised=normalised)
    [found] = Embedder.load(tmp_path).embed(["storms light the sea"])
    tokens = [2, *map(WORDS.index, ["storm", "##s", "light", "[UNK]", "sea"]), 3]
    expected = reference(model, tokens, first=pooling == "cls_token")
    if normalised:
        expected = expected / np.linalg.norm(expected)
    assert np.abs(found.vector - expected).max() < 1e-5


def test_the_encoder_of_a_model_with_a_head_is_found(folder: Path) -> None:
    [plain] = Embedder.load(folder).embed(["rain"])
    path = folder / "model.safetensors"
    save_file({f"bert.{name}": tensor for name, tensor in load_file(path).items()}, path)
    [headed] = Embedder.load(folder).embed(["rain"])
    assert np.array_equal(headed.vector, plain.vector)


@given(texts=st.lists(st.lists(st.sampled_from(WORDS[4:]), max_size=7).map(" ".join), max_size=6))
def test_company_changes_no_more_than_rounding(small: Embedder, texts: list[str]) -> None:
    for text, found in zip(texts, small.embed(texts), strict=True):
        assert np.abs(found.vector - small.embed([text])[0].vector).max() < 1e-5


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder)
    return Embedder.load(folder)


def test_more_texts_than_fit_a_step_come_back_in_order(small: Embedder) -> None:
    texts = [word for word in WORDS[4:9] for _ in range(200)]
    vectors = np.stack([found.vector for found in small.embed(texts)])
    firsts = np.stack([found.vector for found in small.embed(WORDS[4:9])])
    assert np.abs(vectors - firsts.repeat(200, axis=0)).max() < 1e-5


def test_whoever_waits_is_told_how_far_it_is(small: Embedder) -> None:
    told: list[BatchProgress] = []
    found = small.embed(iter(WORDS[4:9] * 200), progress=told.append)
    tokens = sum(embedding.tokens for embedding in found)
    assert told[-1] == BatchProgress(
        answered=1000, total=1000, prompt_tokens=tokens, output_tokens=0
    )
    assert len({progress.answered for progress in told}) > 1
    assert {progress.total for progress in told} == {1000}


def test_a_bar_is_shown_where_one_is_wanted(
    small: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error; standard output is the program's."""
    small.embed(["a"])
    assert capsys.readouterr() == ("", "")
    small.embed(["a", "b"], progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Embedding" in shown.err
    assert "2/2" in shown.err
    assert "out" not in shown.err  # nothing is written


def test_no_texts_have_no_vectors(small: Embedder) -> None:
    assert small.embed([]) == []


def test_a_text_that_is_too_long_is_refused(small: Embedder) -> None:
    with pytest.raises(ContextTooLong) as caught:
        small.embed(["a", "a " * MAX_TOKENS])
    assert (caught.value.prompt_tokens, caught.value.limit) == (MAX_TOKENS + 2, MAX_TOKENS)


def test_unless_its_beginning_is_enough(small: Embedder) -> None:
    """It still ends as a text does; tokens are cut as they are."""
    words = "a b " * MAX_TOKENS
    assert small.tokens(words, truncate=True) == small.tokens("a b " * (MAX_TOKENS // 2 - 1))
    assert small.tokens([4] * 30, truncate=True) == [4] * MAX_TOKENS


def test_a_text_cannot_end_itself(small: Embedder) -> None:
    tokens = small.tokens("a [SEP] b")
    assert list(tokens).count(3) == 1


@pytest.mark.parametrize("tokens", [[], [-1], [len(WORDS)]])
def test_tokens_that_are_none_are_refused(small: Embedder, tokens: list[int]) -> None:
    with pytest.raises(InvalidRequest):
        small.embed([tokens])


def test_half_a_surrogate_pair_is_the_caller_s_mistake(small: Embedder) -> None:
    with pytest.raises(PromptError, match="Unicode"):
        small.embed(["\ud83d"])


def test_gelu_is_right_to_the_last_digits() -> None:
    numbers = np.linspace(-8, 8, 4001, dtype=np.float32)
    exact = [x / 2 * (1 + math.erf(x / math.sqrt(2))) for x in numbers.astype(float)]
    assert np.abs(gelu(numbers) - np.array(exact)).max() < 1e-6


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "modules.json"]
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelLoadError, match=f"{name} is missing"):
        Embedder.load(folder)


@pytest.mark.parametrize(
    ("file", "value", "reason"),
    [
        ("config.json", {"model_type": "llama"}, "'llama' does not embed texts here"),
        ("config.json", {"hidden_act": "relu"}, "not GELU"),
        ("config.json", {"position_embedding_type": "relative_key"}, "absolute"),
        ("config.json", {"num_attention_heads": 5}, "evenly"),
        ("config.json", {"intermediate_size": 47}, "has the shape"),
        ("config.json", {"num_hidden_layers": 3}, r"encoder\.layer\.2\..* is missing"),
        ("modules.json", {"type": "x.Dense"}, "not a list of objects"),
        ("modules.json", [{"type": "x.Transformer"}, {"type": "x.Dense"}], "not supported"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}, "another way"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "another way"),
        ("sentence_bert_config.json", {"max_seq_length": 33}, "max_seq_length"),
    ],
)
def test_a_model_of_another_kind_is_refused_in_clear_words(
    folder: Path, file: str, value: Any, reason: str
) -> None:
    path = folder / file
    whole = json.loads(path.read_text())
    write_json(path, whole | value if isinstance(whole, dict) else value)
    with pytest.raises(ModelLoadError, match=reason):
        Embedder.load(folder)
