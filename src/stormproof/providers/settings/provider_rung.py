"""What every rung says that asks a provider, whatever for."""

from pydantic import Field

from stormproof.providers.settings.price import PriceSettings
from stormproof.providers.settings.tables import Limits, ModelName, ProviderName, Seconds, Weight


class ProviderRung(Limits):
    """A model of a provider, whatever it does."""

    provider: ProviderName = Field(description="A table of `[providers]`, or a preset.")
    model: ModelName = Field(description="What the provider calls the model.")
    deadline: Seconds = Field(
        default=60.0, description="Seconds for a whole answer, or for the beginning of a stream."
    )
    weight: Weight = Field(
        default=1.0,
        description="How often it is asked first beside the others, where they are drawn; with 0"
        " only when those cannot answer, in any order but `listed`.",
    )
    price: PriceSettings | None = Field(
        default=None,
        description="What its tokens cost: told with answers, and counted; by default as published,"
        " where the provider itself is asked for a well-known model.",
    )

    @property
    def name(self) -> str:
        """What headers, events and errors call it."""
        return f"{self.provider}/{self.model}"
