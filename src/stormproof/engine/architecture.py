"""What a decoder-only transformer is made of, whichever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stormproof.engine.loading import Unusable

MAX_VOCAB = 1 << 20
MAX_HIDDEN = 1 << 16
MAX_INTERMEDIATE = 1 << 19
MAX_LAYERS = 512
MAX_HEADS = 512
MAX_HEAD_DIM = 1024
MAX_CONTEXT = 1 << 24


class Family(StrEnum):
    """Architectures that one and the same transformer runs, each with its own details."""

    LLAMA = "llama"
    MISTRAL = "mistral"
    QWEN2 = "qwen2"
    QWEN3 = "qwen3"

    @classmethod
    def named(cls, name: str) -> Family:
        """The family called ``name`` in a checkpoint.

        Raises:
            Unusable: No such family is supported.
        """
        try:
            return cls(name)
        except ValueError:
            supported = ", ".join(cls)
            reason = f"architecture {name[:40]!r} is not supported; these are: {supported}"
            raise Unusable(reason) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Sizes and details of a model.

    Attributes:
        family: Which architecture it is.
        vocab_size: Rows of the embedding, which may be more than the tokenizer has tokens.
        hidden_size: Width of the residual stream.
        layers: Transformer layers.
        heads: Query heads.
        kv_heads: Key and value heads, each shared by ``heads / kv_heads`` query heads.
        head_dim: Width of a head.
        intermediate_size: Width inside the gated MLP.
        max_context: Most tokens that a sequence may have, prompt and output together.
        rope_frequencies: Radians that each pair of dimensions turns per position. [head_dim / 2]
        rms_eps: Added to the mean square before its root.
        tied_embeddings: Whether the output projection is the embedding.
        qk_norm: Whether queries and keys are normalised per head.
        qkv_bias: Whether the query, key and value projections have a bias.
        output_bias: Whether the attention's output projection has a bias.
        mlp_bias: Whether the MLP's projections have a bias.
        bos_id: Token that begins a text, if the checkpoint names one.
        eos_ids: Tokens that end a text, as far as the checkpoint names them.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    max_context: int
    rope_frequencies: tuple[float, ...]
    rms_eps: float
    tied_embeddings: bool
    qk_norm: bool
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise Unusable("its heads cannot be shared evenly among its key/value heads")
        if self.head_dim % 2:
            raise Unusable("its head dimension is odd, so RoPE cannot turn it in pairs")
        if len(self.rope_frequencies) != self.head_dim // 2:
            raise Unusable("it must have one RoPE frequency for each pair of a head's dimensions")
        if any(token >= self.vocab_size for token in self.eos_ids):
            raise Unusable("a token that ends its texts is outside its vocabulary")
        if self.bos_id is not None and self.bos_id >= self.vocab_size:
            raise Unusable("the token that begins its texts is outside its vocabulary")
