"""Rotation slows down for long contexts as `transformers` has it."""

from typing import Any

import pytest
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from stormproof.engine.checkpoints import rope
from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.untrusted import Untrusted

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@pytest.mark.parametrize(
    "scaling",
    [{"rope_type": "default"}, {"rope_type": "linear", "factor": 4.0}, LLAMA3],
    ids=["default", "linear", "llama3"],
)
def test_frequencies_are_those_of_transformers(scaling: dict[str, Any]) -> None:
    config = LlamaConfig(
        hidden_size=512,
        num_attention_heads=4,
        rope_parameters={"rope_theta": 500_000.0} | scaling,
    )
    expected = LlamaRotaryEmbedding(config).inv_freq.tolist()
    turns = rope.scale(rope.frequencies(500_000.0, 128), Untrusted(scaling))
    assert turns == pytest.approx(expected, rel=1e-5)


def test_no_scaling_is_the_default() -> None:
    turns = rope.frequencies(10_000.0, 8)
    assert rope.scale(turns, Untrusted({})) == turns


@pytest.mark.parametrize(
    "scaling",
    [
        {"rope_type": "yarn", "factor": 4.0},
        {"rope_type": "linear"},
        {"rope_type": "linear", "factor": 0},
        {"rope_type": 7},
        LLAMA3 | {"high_freq_factor": 1.0},
        LLAMA3 | {"factor": float("nan")},
    ],
    ids=["unsupported", "missing", "zero", "type", "bounds", "nan"],
)
def test_a_scaling_that_makes_no_sense_is_refused(scaling: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        rope.scale(rope.frequencies(10_000.0, 8), Untrusted(scaling))
