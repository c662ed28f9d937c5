"""What a BERT that embeds texts is made of, as sentence-transformers lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.checkpoints import architecture
from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.model_folder import read_any_json, read_json
from stormproof.engine.checkpoints.untrusted import Untrusted

if TYPE_CHECKING:
    from pathlib import Path

_TYPES: Final[Any] = {"Transformer", "Pooling", "Normalize"}


class Pooling(StrEnum):
    """How the vectors of a text's tokens become one."""

    MEAN = "mean_tokens"
    CLS = "cls_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """Sizes and details of an encoder.

    Attributes:
        vocab_size: Tokens.
        hidden_size: Width of a token's vector, and of a text's.
        layers: Transformer layers.
        heads: Attention heads.
        intermediate_size: Width inside the MLP.
        positions: Positions that were learned.
        segments: Kinds of segments that were learned.
        norm_eps: Added to the variance before its root.
        max_tokens: Most tokens of a text, those around it included.
        pooling: How the vectors of tokens become one.
        normalised: Whether that one is made as long as 1.
    """

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    positions: int
    segments: int
    norm_eps: float
    max_tokens: int
    pooling: Pooling
    normalised: bool

    def __post_init__(self) -> None:
        if self.hidden_size % self.heads:
            raise Unusable("its heads cannot share its width evenly")


def read_bert_config(folder: Path) -> BertConfig:
    """The encoder that the files in a folder describe.

    Raises:
        Unusable: They are incomplete, out of bounds, or describe another kind of model.
    """
    config = Untrusted(read_json(folder / "config.json"))
    _refuse_variants(config)
    sentence = Untrusted(read_json(folder / "sentence_bert_config.json", optional=True))
    positions = config.integer("max_position_embeddings", high=architecture.MAX_CONTEXT)
    return BertConfig(
        vocab_size=config.integer("vocab_size", high=architecture.MAX_VOCAB),
        hidden_size=config.integer("hidden_size", high=architecture.MAX_HIDDEN),
        layers=config.integer("num_hidden_layers", high=architecture.MAX_LAYERS),
        heads=config.integer("num_attention_heads", high=architecture.MAX_HEADS),
        intermediate_size=config.integer("intermediate_size", high=architecture.MAX_INTERMEDIATE),
        positions=positions,
        segments=config.integer("type_vocab_size", 2, high=16),
        norm_eps=config.number("layer_norm_eps", 1e-12, high=0.1),
        max_tokens=sentence.integer("max_seq_length", positions, low=3, high=positions),
        pooling=_pooling(Untrusted(read_json(folder / "1_Pooling" / "config.json"))),
        normalised="Normalize" in _modules(folder),
    )


def _refuse_variants(config: Untrusted) -> None:
    kind = config.text("model_type")
    if kind != "bert":
        raise Unusable(f"architecture {kind[:40]!r} does not embed texts here; bert does")
    if config.text("hidden_act", "gelu") != "gelu":
        raise Unusable("the activation of its MLP is not GELU")
    if config.text("position_embedding_type", "absolute") != "absolute":
        raise Unusable("its positions are not absolute ones")


def _pooling(settings: Untrusted) -> Pooling:
    on = [way for way in Pooling if settings.flag(f"pooling_mode_{way}", default=False)]
    others = settings.flag("pooling_mode_max_tokens", default=False) or settings.flag(
        "pooling_mode_mean_sqrt_len_tokens", default=False
    )
    if others or len(on) != 1:
        raise Unusable("it makes one vector of many in another way than by mean or first token")
    return on[0]


def _modules(folder: Path) -> set[str]:
    """The steps from tokens to a vector."""
    listed = read_any_json(folder / "modules.json")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise Unusable("modules.json is not a list of objects")
    kinds = {Untrusted(entry).text("type").rpartition(".")[2] for entry in listed}
    if not kinds <= _TYPES:
        raise Unusable("modules.json has steps that are not supported")
    return kinds
