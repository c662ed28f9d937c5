"""Settings of an engine are refused together, each by name."""

from typing import Any

import pytest

from stormproof.engine.settings import EngineConfig
from stormproof.errors import ConfigurationError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("model", ""),
        ("device", "gpu"),
        ("dtype", "int3"),
        ("block_size", 0),
        ("num_blocks", 0),
        ("cache_bytes", -1),
        ("max_sequences", 0),
        ("max_waiting", 0),
        ("max_waiting_tokens", 0),
    ],
)
def test_a_setting_that_is_wrong_is_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        EngineConfig(**{"model": "m.gguf", setting: value})
    assert caught.value.setting == setting


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EngineConfig(model="", block_size=0, max_sequences=9, max_step_tokens=8)
    assert caught.value.setting == "block_size, model, max_step_tokens"
    assert "max_step_tokens must be at least max_sequences" in caught.value.reason


def test_a_draft_model_that_may_not_guess_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EngineConfig(model="m.gguf", draft_model="small.gguf", speculation="off")
    assert caught.value.setting == "draft_model"


def test_every_running_sequence_has_a_token_in_every_step() -> None:
    EngineConfig(model="m.gguf", max_sequences=8, max_step_tokens=8)
