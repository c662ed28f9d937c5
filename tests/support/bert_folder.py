"""A small BERT of random weights, in a folder as sentence-transformers lays it out."""

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "rain", "storm", "##s", "sea", "light"]
MAX_TOKENS = 24


def write_bert(folder: Path, *, pooling: str = "mean_tokens", normalised: bool = True) -> Any:
    """Write the folder; return the model as `transformers` runs it."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=32,
    )
    model: Any = BertModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4)
    model.save_pretrained(folder)
    _write_tokenizer(folder / "tokenizer.json")
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalised else [])]
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS})
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}": True})
    return model.eval()


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def _write_tokenizer(path: Path) -> None:
    vocab = {word: index for index, word in enumerate(WORDS)}
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    backend.add_special_tokens(WORDS[:4])
    backend.enable_truncation(8)
    backend.enable_padding(length=8)
    backend.save(str(path))
