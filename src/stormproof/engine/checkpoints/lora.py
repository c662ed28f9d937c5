"""Low-rank adapters, merged into the weights of a model when it is loaded.

LoRA: Hu et al., https://arxiv.org/abs/2106.09685. The files are those of PEFT
(https://huggingface.co/docs/peft). Merged, an adapter costs nothing in a step, and whatever runs
the model needs to know nothing of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stormproof.engine.checkpoints.huggingface_tensors import stored
from stormproof.engine.checkpoints.layer_tensors import layer_tensors
from stormproof.engine.checkpoints.loading import Unusable, loading
from stormproof.engine.checkpoints.model_folder import read_json
from stormproof.engine.checkpoints.safetensors_file import SafetensorsFile
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.checkpoints.untrusted import Untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stormproof.engine.checkpoints.architecture import ModelConfig
    from stormproof.engine.checkpoints.checkpoint import Checkpoint
    from stormproof.engine.checkpoints.stored_tensor import Numbers
    from stormproof.engine.tokens.tokenizer import Tokenizer

MAX_ALPHA: Final = 1e6


@dataclass(frozen=True, slots=True)
class LowRank:
    """What is added to a matrix: ``scale * up @ down``.

    Attributes:
        down: [rank, in]
        up: [out, rank]
        scale: How much of it.
    """

    down: StoredTensor
    up: StoredTensor
    scale: float

    def added_to(self, matrix: StoredTensor) -> StoredTensor:
        """The matrix with it, in float32.

        Raises:
            Unusable: It does not fit the matrix.
        """
        rank = self.down.shape[0]
        out, width = matrix.shape
        if self.down.shape != (rank, width) or self.up.shape != (out, rank):
            raise Unusable("its adapter does not fit its weights")

        def merged(first: int, count: int) -> Numbers:
            change: Numbers = self.up.rows(first, count).numbers() @ self.down.numbers()
            return matrix.rows(first, count).numbers() + change * np.float32(self.scale)

        return StoredTensor.computed(matrix.shape, merged)


class AdaptedCheckpoint:
    """A checkpoint whose weights an adapter has changed.

    Args:
        base: The model.
        folder: The adapter: ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        ModelLoadError: The adapter is missing, damaged, of an unsupported kind, or of another
            model.
    """

    def __init__(self, base: Checkpoint, folder: Path) -> None:
        self._base = base
        self._name = folder.name
        with loading(self._name):
            self._settings = _Settings.read(folder)
            self._file = SafetensorsFile(folder / "adapter_model.safetensors")
            self._used: set[str] = set()
            self._changes = dict(self._found())
            self._refuse_leftovers()

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        return self._base.config

    @property
    def identity(self) -> tuple[tuple[int, ...], ...]:
        """Tells its weights from others, see `Checkpoint`."""
        settings = (*self._settings.alpha.as_integer_ratio(), int(self._settings.by_root))
        return (*self._base.identity, self._file.identity, settings)

    def tensor(self, name: str) -> StoredTensor:
        """One tensor, see `Checkpoint`."""
        tensor = self._base.tensor(name)
        with loading(self._name):
            return self._changes[name].added_to(tensor) if name in self._changes else tensor

    def tokenizer(self) -> Tokenizer:
        """The tokenizer, see `Checkpoint`."""
        return self._base.tokenizer()

    def _found(self) -> Iterator[tuple[str, LowRank]]:
        """What is changed, by the names that `Checkpoint` uses."""
        for number in range(self.config.layers):
            layer = layer_tensors(self.config, number)
            for projection in (layer.qkv, layer.output, layer.up, layer.down):
                for part in projection.parts:
                    yield from self._change_of(f"{part}.weight")

    def _change_of(self, name: str) -> Iterator[tuple[str, LowRank]]:
        place = stored(name, self.config.family)
        for written in place.names:
            module = f"base_model.model.{written.removesuffix('.weight')}"
            down, up = f"{module}.lora_A.weight", f"{module}.lora_B.weight"
            if {down, up} <= self._file.names:
                whole = self._file.tensor(up)
                part = whole if place.third is None else whole.part(place.third, of=3)
                self._used |= {down, up}
                yield name, self._settings.change(self._file.tensor(down), part)

    def _refuse_leftovers(self) -> None:
        left = sorted(self._file.names - self._used)
        if left:
            raise Unusable(f"it changes what this model does not have: {left[0][:100]}")


@dataclass(frozen=True, slots=True)
class _Settings:
    """What ``adapter_config.json`` says.

    Attributes:
        alpha: Numerator of the scale.
        by_root: Whether it is divided by the root of the rank rather than by the rank.
    """

    alpha: float
    by_root: bool

    @classmethod
    def read(cls, folder: Path) -> _Settings:
        values = read_json(folder / "adapter_config.json")
        settings = Untrusted(values)
        if settings.text("peft_type") != "LORA":
            raise Unusable("it is not a LoRA adapter")
        if settings.flag("use_dora", default=False) or settings.text("bias", "none") != "none":
            raise Unusable("it changes more than projections: DoRA and biases are not supported")
        if any(values.get(key) for key in ("alpha_pattern", "modules_to_save")):
            raise Unusable("alpha_pattern and modules_to_save are not supported")
        return cls(
            alpha=settings.number("lora_alpha", high=MAX_ALPHA),
            by_root=settings.flag("use_rslora", default=False),
        )

    def change(self, down: StoredTensor, up: StoredTensor) -> LowRank:
        rank = down.shape[0]
        return LowRank(down, up, self.alpha / (math.sqrt(rank) if self.by_root else rank))
