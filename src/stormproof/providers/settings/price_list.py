"""What providers' models cost, where settings do not say."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from stormproof.providers.settings.presets import presets, provider_settings
from stormproof.providers.settings.price import PriceSettings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import ProviderSettings


@cache
def price_list() -> Mapping[str, Mapping[str, PriceSettings]]:
    """Return the published prices of well-known models, by preset and model."""
    text = files("stormproof.providers").joinpath("prices.toml").read_text("utf-8")
    return {
        preset: {model: PriceSettings(**price) for model, price in models.items()}
        for preset, models in tomllib.loads(text).items()
    }


def price_of(rung: ProviderRung, providers: Mapping[str, ProviderSettings]) -> PriceSettings | None:
    """Return what the tokens of a rung's model cost; None if nobody knows.

    That is the rung's own ``price``; without one the published price, if the model is asked where
    the provider itself listens: others may sell what has the same name.

    Args:
        rung: Whom to ask.
        providers: The tables of the file.
    """
    if rung.price is not None:
        return rung.price
    provider = provider_settings(rung.provider, providers)
    own = providers.get(rung.provider, ProviderSettings())
    name = own.preset or rung.provider
    if provider is None or provider.url != presets()[name].url:
        return None
    return price_list().get(name, {}).get(rung.model)
