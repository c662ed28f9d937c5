"""Every layer has the tensors that its architecture says, in their shapes."""

from dataclasses import fields, replace
from typing import Any

import pytest

from stormproof.engine.checkpoints.architecture import Family, ModelConfig
from stormproof.engine.checkpoints.layer_tensors import Projection, layer_tensors

PLAIN = ModelConfig(
    family=Family.LLAMA,
    vocab_size=32,
    hidden_size=48,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate_size=80,
    max_context=64,
    norm_eps=1e-5,
    attention_scale=0.25,
    rope_tables=((1.0,) * 8,),
)


def test_heads_share_keys_and_values_in_the_matrix_that_makes_them() -> None:
    layer = layer_tensors(PLAIN, 1)
    owner = "model.layers.1.self_attn"
    parts = {f"{owner}.q_proj": 64, f"{owner}.k_proj": 32, f"{owner}.v_proj": 32}
    assert layer.qkv == Projection(parts, 48)
    assert layer.output == Projection({f"{owner}.o_proj": 48}, 64)
    assert layer.down == Projection({"model.layers.1.mlp.down_proj": 48}, 80)


@pytest.mark.parametrize(
    ("details", "norms"),
    [
        ({}, {"attention_norm", "mlp_norm"}),
        ({"qk_norm": True}, {"attention_norm", "query_norm", "key_norm", "mlp_norm"}),
        (
            {"post_norms": True},
            {"attention_norm", "post_attention_norm", "mlp_norm", "post_mlp_norm"},
        ),
    ],
)
def test_there_are_the_norms_of_its_family(details: dict[str, Any], norms: set[str]) -> None:
    """The one after attention has the name that is else the one's before the MLP."""
    layer = layer_tensors(replace(PLAIN, **details), 0)
    names = {
        field.name: getattr(layer, field.name) for field in fields(layer) if "norm" in field.name
    }
    assert {place for place, name in names.items() if name} == norms
    after_attention = "post_attention_norm" if "post_attention_norm" in norms else "mlp_norm"
    assert names[after_attention] == "model.layers.0.post_attention_layernorm"


@pytest.mark.parametrize("gated", [True, False])
def test_an_mlp_has_a_gate_or_not(*, gated: bool) -> None:
    layer = layer_tensors(replace(PLAIN, gated=gated, mlp_bias=not gated), 0)
    names = ["gate_proj", "up_proj"] if gated else ["up_proj"]
    assert [part.rpartition(".")[2] for part in layer.up.parts] == names
    assert layer.up.biased is layer.down.biased is not gated
