"""What well-known models cost, where settings do not say."""

import pytest

from stormproof.providers.settings.presets import presets
from stormproof.providers.settings.price import PriceSettings
from stormproof.providers.settings.price_list import price_list, price_of
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import ProviderSettings

LISTED = [(preset, model) for preset, models in price_list().items() for model in models]


def rung(provider: str, model: str = "gpt-4o-mini", **options: object) -> ProviderRung:
    return ProviderRung.model_validate({"provider": provider, "model": model, **options})


@pytest.mark.parametrize(("preset", "model"), LISTED)
def test_every_listed_model_is_one_of_a_provider_s_and_its_price_makes_sense(
    preset: str, model: str
) -> None:
    """What was kept costs less, and keeping it more; an answer costs more than what was asked."""
    price = price_list()[preset][model]
    assert presets()[preset].url
    assert 0 < price.input < 100
    assert not price.output or price.input <= price.output < 1000
    assert (price.cached or 0) < price.input < (price.cache_write or 1000)
    assert price_of(rung(preset, model), {}) == price


def test_the_settings_come_first() -> None:
    """Also where they say that it costs nothing."""
    own = PriceSettings(input=0, output=0)
    assert price_of(rung("openai", price=own), {}) == own


def test_a_table_that_differs_in_other_things_has_the_prices_of_its_preset() -> None:
    """It is the same provider."""
    mini = ProviderSettings(preset="openai", requests_per_minute=3)
    assert price_of(rung("mini"), {"mini": mini}) == price_list()["openai"]["gpt-4o-mini"]


@pytest.mark.parametrize(
    ("asked", "providers"),
    [
        (rung("openai", "gpt-9"), {}),
        (rung("openai"), {"openai": ProviderSettings(url="http://localhost:1")}),
        (rung("vllm"), {}),
        (rung("nobody"), {}),
    ],
    ids=["unknown model", "another address", "no prices", "unknown provider"],
)
def test_what_is_not_published_nobody_knows(
    asked: ProviderRung, providers: dict[str, ProviderSettings]
) -> None:
    """A proxy may sell what has the same name at any price."""
    assert price_of(asked, providers) is None
