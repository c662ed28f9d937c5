"""Where a Hugging Face folder keeps a tensor, and in which shape, family by family."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stormproof.engine.checkpoints.architecture import Family

if TYPE_CHECKING:
    from stormproof.engine.checkpoints.stored_tensor import StoredTensor

_GPT2_NAMES: Final = {
    "model.embed_tokens": "wte",
    "model.embed_positions": "wpe",
    "model.norm": "ln_f",
}
_GPT2_LAYER_NAMES: Final = {
    "input_layernorm": "ln_1",
    "self_attn.q_proj": "attn.c_attn",
    "self_attn.k_proj": "attn.c_attn",
    "self_attn.v_proj": "attn.c_attn",
    "self_attn.o_proj": "attn.c_proj",
    "post_attention_layernorm": "ln_2",
    "mlp.up_proj": "mlp.c_fc",
    "mlp.down_proj": "mlp.c_proj",
}
_FUSED: Final = ("q_proj", "k_proj", "v_proj")
_LAYER_TENSOR: Final = re.compile(r"model\.layers\.(\d+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it is stored.

    Attributes:
        names: What it may be called; whoever wrote the folder chose one.
        transposed: Whether it is [in, out].
        third: Which third of the rows is meant, where three projections are stored as one.
        less_one: Whether 1 is missing from each number.
    """

    names: tuple[str, ...]
    transposed: bool = False
    third: int | None = None
    less_one: bool = False

    def restore(self, tensor: StoredTensor) -> StoredTensor:
        """The tensor as it is meant."""
        if self.transposed:
            tensor = tensor.transposed()
        if self.third is not None:
            tensor = tensor.part(self.third, of=3)
        return tensor.plus_one() if self.less_one else tensor


def stored(name: str, family: Family) -> Stored:
    """How the tensor that `Checkpoint` calls ``name`` is stored."""
    if family is Family.GPT2:
        return _stored_by_gpt2(name)
    return Stored(
        names=(name, *_names_beside_vision(name)) if family is Family.GEMMA3 else (name,),
        less_one=family.is_gemma and name.endswith("norm.weight"),
    )


def _names_beside_vision(name: str) -> tuple[str, str]:
    """The names in a model that also sees: those of transformers before version 5, and since."""
    return f"language_model.{name}", name.replace("model.", "model.language_model.", 1)


def _stored_by_gpt2(name: str) -> Stored:
    owner, _, kind = name.rpartition(".")
    layer = _LAYER_TENSOR.fullmatch(owner)
    if layer is None:
        plain = f"{_GPT2_NAMES.get(owner, owner)}.{kind}"
        return Stored((plain, f"transformer.{plain}"))
    number, part = layer.groups()
    plain = f"h.{number}.{_GPT2_LAYER_NAMES[part]}.{kind}"
    projection = part.rpartition(".")[2]
    return Stored(
        names=(plain, f"transformer.{plain}"),
        transposed=kind == "weight" and projection.endswith("_proj"),
        third=_FUSED.index(projection) if projection in _FUSED else None,
    )
