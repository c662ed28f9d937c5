"""What a decoder-only transformer is made of, whichever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stormproof.engine.checkpoints.loading import Unusable

MAX_VOCAB = 1 << 20
MAX_HIDDEN = 1 << 16
MAX_INTERMEDIATE = 1 << 19
MAX_LAYERS = 512
MAX_HEADS = 512
MAX_HEAD_DIM = 1024
MAX_CONTEXT = 1 << 24
MAX_SOFTCAP = 1e6


class Family(StrEnum):
    """Architectures that one and the same transformer runs, each with its own details."""

    LLAMA = "llama"
    MISTRAL = "mistral"
    QWEN2 = "qwen2"
    QWEN3 = "qwen3"
    GEMMA = "gemma"
    GEMMA2 = "gemma2"
    GEMMA3 = "gemma3"
    GPT2 = "gpt2"

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

    @property
    def is_gemma(self) -> bool:
        """Whether it is one of the Gemma family, whose norms are stored as their weight less 1."""
        return self in (Family.GEMMA, Family.GEMMA2, Family.GEMMA3)


class Activation(StrEnum):
    """The nonlinearity of an MLP. GELU is computed by its tanh approximation."""

    SILU = "silu"
    GELU_TANH = "gelu_tanh"


@dataclass(frozen=True, slots=True)
class LayerKind:
    """How the attention of some layers sees positions.

    Attributes:
        window: Positions that a query sees back, itself included; 0 for all.
        rope: Which of the model's RoPE tables turns queries and keys.
    """

    window: int = 0
    rope: int = 0


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
        intermediate_size: Width inside the MLP.
        max_context: Most tokens that a sequence may have, prompt and output together.
        norm_eps: Added to the mean square, or the variance, before its root.
        attention_scale: Factor of query times key.
        rope_tables: Radians that each pair of dimensions turns per position, one table for each
            kind of layer that turns in its own way; none where positions are learned and added to
            the embedding. [tables, head_dim / 2]
        layer_kinds: The kinds of layers, repeated in this order up to the last layer.
        attention_softcap: Bounds query times key smoothly; 0 for no bound.
        final_softcap: Bounds the logits smoothly; 0 for no bound.
        embedding_scale: Factor of the embedding where it enters the residual stream.
        activation: Nonlinearity of the MLP.
        gated: Whether the MLP is ``activation(gate) * up`` rather than ``activation(up)``.
        layer_norm: Whether norms take the mean away and add a bias (LayerNorm), or not (RMSNorm).
        post_norms: Whether attention and MLP are normalised again before they are added to the
            residual stream.
        qk_norm: Whether queries and keys are normalised per head.
        qkv_bias: Whether the query, key and value projections have a bias.
        output_bias: Whether the attention's output projection has a bias.
        mlp_bias: Whether the MLP's projections have a bias.
        tied_embeddings: Whether the output projection is the embedding.
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
    norm_eps: float
    attention_scale: float
    rope_tables: tuple[tuple[float, ...], ...]
    layer_kinds: tuple[LayerKind, ...] = (LayerKind(),)
    attention_softcap: float = 0.0
    final_softcap: float = 0.0
    embedding_scale: float = 1.0
    activation: Activation = Activation.SILU
    gated: bool = True
    layer_norm: bool = False
    post_norms: bool = False
    qk_norm: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    tied_embeddings: bool = False
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise Unusable("its heads cannot be shared evenly among its key/value heads")
        if self.rope_tables and self.head_dim % 2:
            raise Unusable("its head dimension is odd, so RoPE cannot turn it in pairs")
        if any(len(table) != self.head_dim // 2 for table in self.rope_tables):
            raise Unusable("it must have one RoPE frequency for each pair of a head's dimensions")
        if any(token >= self.vocab_size for token in self.eos_ids):
            raise Unusable("a token that ends its texts is outside its vocabulary")
        if self.bos_id is not None and self.bos_id >= self.vocab_size:
            raise Unusable("the token that begins its texts is outside its vocabulary")

    @property
    def learned_positions(self) -> bool:
        """Whether a table of positions is added to the embedding, rather than RoPE."""
        return not self.rope_tables

    def kind(self, layer: int) -> LayerKind:
        """The kind of a layer, counted from 0."""
        return self.layer_kinds[layer % len(self.layer_kinds)]
