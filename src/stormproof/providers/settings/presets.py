"""What is known of providers."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from stormproof.providers.settings.schema import ProviderSettings


@cache
def presets() -> Mapping[str, ProviderSettings]:
    """Return the defaults of each provider that is known by name."""
    text = files("stormproof.providers").joinpath("presets.toml").read_text("utf-8")
    return {name: ProviderSettings(**table) for name, table in tomllib.loads(text).items()}


def provider_settings(
    name: str, providers: Mapping[str, ProviderSettings]
) -> ProviderSettings | None:
    """Return how a provider is asked; None if nobody knows it.

    Args:
        name: A table of ``providers``, or a preset.
        providers: The tables of the file.
    """
    own = providers.get(name, ProviderSettings())
    preset = presets().get(own.preset or name)
    return preset and own.over(preset)
