"""Who is known by name can be asked by name."""

import pytest

from stormproof.providers.http.client import parse_url
from stormproof.providers.settings.presets import presets, provider_settings
from stormproof.providers.settings.schema import ProviderSettings

NAMES = sorted(presets())


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_asked_somewhere_and_keys_go_over_tls(name: str) -> None:
    """Those without an address are given one by their users."""
    preset = presets()[name]
    if preset.url is None:
        assert name in {"azure", "anthropic-bedrock", "anthropic-foundry", "openai-compatible"}
        return
    origin = parse_url(preset.url).origin
    assert origin.secure is (preset.key_env is not None)
    assert origin.secure or origin.host == "localhost"


def test_a_table_says_what_is_different() -> None:
    """Of its namesake, or of the preset that it names."""
    house = ProviderSettings(preset="vllm", url="http://house/v1")
    settings = provider_settings("house", {"house": house})
    assert settings is not None
    assert settings.url == "http://house/v1"
    assert settings.prefill_body == presets()["vllm"].prefill_body


def test_what_is_said_counts_even_if_it_is_the_usual() -> None:
    own = ProviderSettings(key_header="authorization")
    settings = provider_settings("azure", {"azure": own})
    assert settings is not None
    assert settings.key_header == "authorization"
    assert presets()["azure"].key_header == "api-key"


def test_who_has_neither_is_unknown() -> None:
    assert provider_settings("nobody", {}) is None
