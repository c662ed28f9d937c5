"""A GGUF file's SentencePiece vocabulary gives the tokens that SentencePiece gives."""

import io
from typing import Any

import pytest
import sentencepiece

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.tokens.gguf_tokenizer import build_tokenizer

TEXTS = [
    "",
    " ",
    "Hello, world!",
    "the storm   passed    over     the      harbour",
    "    four before, two after  ",
    "line\n\nline\ttab",
    "1 22 333 2024-02-29",
    "Grüße aus Köln, привет, 你好 🙂",
    "aaaaaaaaaaaaaaaaaaaaa",
    "<start>hello<end>",
]
CORPUS = [
    "The storm passed over the harbour and the lights of the town went out one after another.",
    "When the storm was over, the harbour master said that the lights would be back.",
    "    def storm(lights):\n        return [light for light in lights if light.over]\n",
    "aaaa aaaaaaaa hello hello hello 2024 2025 22 333 over over over",
]


@pytest.fixture(scope="module", params=[True, False], ids=["prefix", "bare"])
def trained(request: pytest.FixtureRequest) -> Any:
    """A small vocabulary as the models of Google and Meta have it, with and without the prefix."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        add_dummy_prefix=request.param,
        control_symbols=["<start>", "<end>"],
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return processor, metadata(processor, prefix=request.param)


def metadata(processor: Any, *, prefix: bool) -> dict[str, Any]:
    """What llama.cpp's converter writes."""
    ids = range(processor.vocab_size())
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [processor.id_to_piece(i) for i in ids],
        "tokenizer.ggml.scores": [processor.get_score(i) for i in ids],
        "tokenizer.ggml.token_type": [kind(processor, i) for i in ids],
        "tokenizer.ggml.unknown_token_id": processor.unk_id(),
        "tokenizer.ggml.bos_token_id": processor.bos_id(),
        "tokenizer.ggml.eos_token_id": processor.eos_id(),
        "tokenizer.ggml.add_space_prefix": prefix,
    }


def kind(processor: Any, token: int) -> int:
    if processor.is_unknown(token):
        return 2
    if processor.is_control(token):
        return 3
    return 6 if processor.is_byte(token) else 1


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_sentencepiece(trained: Any, text: str) -> None:
    processor, described = trained
    assert build_tokenizer(described).encode(text, special=False) == processor.encode(text)


@pytest.mark.parametrize("text", TEXTS)
def test_decoding_gives_back_the_text(trained: Any, text: str) -> None:
    _, described = trained
    tokenizer = build_tokenizer(described)
    prefix = " " if described["tokenizer.ggml.add_space_prefix"] and text else ""
    assert tokenizer.decode(tokenizer.encode(text, special=False)) == prefix + text


def test_a_prompt_begins_as_the_model_expects(trained: Any) -> None:
    processor, described = trained
    tokenizer = build_tokenizer(described)
    assert tokenizer.prompt("hello") == [processor.bos_id(), *processor.encode("hello")]
    bare = build_tokenizer(described | {"tokenizer.ggml.add_bos_token": False})
    assert bare.prompt("hello") == processor.encode("hello")


def test_control_tokens_are_tokens_where_they_are_asked_for(trained: Any) -> None:
    processor, described = trained
    found = build_tokenizer(described).encode("<start>hello<end>", special=True)
    marks = [processor.piece_to_id(mark) for mark in ("<start>", "<end>")]
    assert [found[0], found[-1]] == marks


def test_pieces_that_a_vocabulary_defines_are_found_in_any_text() -> None:
    """Gemma's runs of spaces, which its converter writes as spaces."""
    described = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["a", "▁", "  ", "   "],
        "tokenizer.ggml.scores": [-1.0, -2.0, 0.0, 0.0],
        "tokenizer.ggml.token_type": [1, 1, 4, 4],
        "tokenizer.ggml.add_space_prefix": False,
    }
    tokenizer = build_tokenizer(described)
    assert tokenizer.encode("a   a a  a", special=False) == [0, 3, 0, 1, 0, 2, 0]
    assert tokenizer.decode([0, 3, 0]) == "a   a"


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("scores", None, "scores is missing"),
        ("scores", [0.0], "one number for each token"),
        ("token_type", ["1", "1"], "not a list of numbers"),
        ("unknown_token_id", 2, "outside its vocabulary"),
        ("tokens", ["a", "b" * (1 << 15)], "too long"),
    ],
)
def test_a_vocabulary_that_makes_no_sense_is_refused(key: str, value: Any, reason: str) -> None:
    described = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.ggml.scores": [0.0, 0.0],
        "tokenizer.ggml.token_type": [1, 1],
    }
    with pytest.raises(Unusable, match=reason):
        build_tokenizer(described | {f"tokenizer.ggml.{key}": value})
