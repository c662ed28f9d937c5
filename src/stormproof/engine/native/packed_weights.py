"""A model's weights as the native step reads them, packed in one piece of memory."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from stormproof.engine.checkpoints import architecture
from stormproof.engine.checkpoints.checkpoint import tensor_of_shape
from stormproof.engine.checkpoints.layer_tensors import Projection, layer_tensors
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.native.arena import FIRST, Arena
from stormproof.engine.native.compiler import sources_digest
from stormproof.engine.native.packer import Packer
from stormproof.engine.native.structures import Activation, SpLayer, SpMatrix, SpModel, SpNorm

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.checkpoint import Checkpoint
    from stormproof.engine.checkpoints.loading import Progress
    from stormproof.engine.native.library import NativeLibrary
    from stormproof.engine.settings import DType

_LINE: Final = 64  # bytes that everything begins at a multiple of
_ROWS_AT_ONCE: Final = 4096

_ACTIVATIONS: Final = {
    architecture.Activation.SILU: Activation.SILU,
    architecture.Activation.GELU_TANH: Activation.GELU_TANH,
}

Job = Callable[[], None]


class PackedWeights:
    """A model's weights, packed now or by another process before.

    Args:
        checkpoint: The model.
        library: What packs.
        dtype: What the numbers of matrices become, see `Packer`.
        threads: How many pack.
        memory: Where to pack them, for other processes to map; see `shared_memory`.
        progress: Told the fraction that is packed.

    Attributes:
        model: What the native step is told of the model.

    Raises:
        ModelLoadError: A tensor is missing or damaged.
        OutOfMemory: They do not fit.
        Unusable: A tensor has another shape than the architecture says.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        library: NativeLibrary,
        *,
        dtype: DType,
        threads: int,
        memory: int | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        packer = Packer(library, dtype)
        size = _Layout(checkpoint, packer, base=0).place().size
        self._arena = Arena(size, _seal(checkpoint, dtype, size), memory)
        if not self._arena.sealed:
            jobs = _Layout(checkpoint, packer, base=self._arena.address).place().jobs
            with ThreadPoolExecutor(threads) as pool:
                for number, _ in enumerate(pool.map(_run, jobs), 1):
                    progress(number / len(jobs))
            self._arena.close()
        self.model = _Layout(checkpoint, packer, base=self._arena.address).place().model
        progress(1.0)


def model_sizes(config: ModelConfig) -> SpModel:
    """What the native step is told of a model, without its weights."""
    return SpModel(
        hidden=config.hidden_size,
        layers=config.layers,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        intermediate=config.intermediate_size,
        vocab=config.vocab_size,
        max_context=config.max_context,
        gated=config.gated,
        activation=_ACTIVATIONS[config.activation],
        layer_norm=config.layer_norm,
        rope_tables=len(config.rope_tables),
        norm_eps=config.norm_eps,
        attention_scale=config.attention_scale,
        attention_softcap=config.attention_softcap,
        final_softcap=config.final_softcap,
        embedding_scale=config.embedding_scale,
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    model: SpModel
    jobs: Sequence[Job]
    size: int


class _Layout:
    """Gives everything its place, one after the other, and says how it is to be filled."""

    def __init__(self, checkpoint: Checkpoint, packer: Packer, base: int) -> None:
        self._checkpoint = checkpoint
        self._config = checkpoint.config
        self._packer = packer
        self._base = base
        self._size = FIRST
        self._jobs: list[Job] = []

    def place(self) -> _Placed:
        config = self._config
        model = model_sizes(config)
        model.embedding = self._matrix(self._vocabulary("model.embed_tokens"))
        model.head = model.embedding
        if not config.tied_embeddings:
            model.head = self._matrix(self._vocabulary("lm_head"))
        model.norm = self._norm("model.norm", config.hidden_size)
        model.rope_frequencies = self._rope_frequencies()
        model.position_embedding = self._positions()
        layers = [self._layer(number) for number in range(config.layers)]
        model.layer = (SpLayer * config.layers)(*layers)
        return _Placed(model, self._jobs, self._size)

    def _layer(self, number: int) -> SpLayer:
        config = self._config
        hidden, head_dim = config.hidden_size, config.head_dim
        kind, layer = config.kind(number), layer_tensors(config, number)
        return SpLayer(
            attention_norm=self._norm(layer.attention_norm, hidden),
            qkv=self._matrix(layer.qkv),
            query_norm=self._norm(layer.query_norm, head_dim),
            key_norm=self._norm(layer.key_norm, head_dim),
            output=self._matrix(layer.output),
            post_attention_norm=self._norm(layer.post_attention_norm, hidden),
            mlp_norm=self._norm(layer.mlp_norm, hidden),
            up=self._matrix(layer.up),
            down=self._matrix(layer.down),
            post_mlp_norm=self._norm(layer.post_mlp_norm, hidden),
            window=kind.window,
            rope=kind.rope if config.rope_tables else -1,
        )

    def _vocabulary(self, name: str) -> Projection:
        return Projection({name: self._config.vocab_size}, self._config.hidden_size)

    def _matrix(self, made_of: Projection) -> SpMatrix:
        parts, cols = made_of.parts, made_of.width
        tensors = [self._tensor(f"{name}.weight", n, cols) for name, n in parts.items()]
        rows = sum(parts.values())
        packed = self._packer.format(tensors)
        at = self._take(self._packer.size(packed, rows, cols))
        first = 0
        for tensor in tensors:
            for start in range(0, tensor.shape[0], _ROWS_AT_ONCE):
                some = tensor.rows(start, min(_ROWS_AT_ONCE, tensor.shape[0] - start))
                self._jobs.append(partial(self._packer.pack, some, packed, at, first + start))
            first += tensor.shape[0]
        bias = None
        if made_of.biased:
            bias = self._vector(*(self._tensor(f"{name}.bias", n) for name, n in parts.items()))
        return SpMatrix(data=at, bias=bias, format=packed, rows=rows, cols=cols)

    def _norm(self, name: str | None, width: int) -> SpNorm:
        if name is None:
            return SpNorm()
        weight = self._vector(self._tensor(f"{name}.weight", width))
        biased = self._config.layer_norm
        bias = self._vector(self._tensor(f"{name}.bias", width)) if biased else None
        return SpNorm(weight=weight, bias=bias)

    def _rope_frequencies(self) -> int | None:
        if self._config.learned_positions:
            return None
        return self._vector(StoredTensor.of(np.array(self._config.rope_tables, np.float32)))

    def _positions(self) -> int | None:
        config = self._config
        if not config.learned_positions:
            return None
        name = "model.embed_positions.weight"
        return self._vector(self._tensor(name, config.max_context, config.hidden_size))

    def _vector(self, *tensors: StoredTensor) -> int:
        """Tensors as float32, one after the other."""
        sizes = [4 * int(np.prod(tensor.shape)) for tensor in tensors]
        start = at = self._take(sum(sizes))
        for tensor, size in zip(tensors, sizes, strict=True):
            self._jobs.append(partial(_copy, tensor, at))
            at += size
        return start

    def _tensor(self, name: str, *shape: int) -> StoredTensor:
        return tensor_of_shape(self._checkpoint, name, *shape)

    def _take(self, size: int) -> int:
        start = self._size
        self._size += -(-size // _LINE) * _LINE
        return self._base + start


def _copy(tensor: StoredTensor, target: int) -> None:
    numbers = np.ascontiguousarray(tensor.numbers())
    ctypes.memmove(target, numbers.ctypes.data, numbers.nbytes)


def _run(job: Job) -> None:
    job()


def _seal(checkpoint: Checkpoint, dtype: DType, size: int) -> bytes:
    content = (checkpoint.identity, dtype, size, sources_digest())
    return hashlib.sha256(repr(content).encode()).digest()
