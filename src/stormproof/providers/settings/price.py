"""What the tokens of a model cost."""

from typing import Final

from pydantic import Field

from stormproof.providers.chat import Usage
from stormproof.providers.settings.tables import Price, Table

_MILLION: Final = 1_000_000


class PriceSettings(Table):
    """What a million tokens cost, in whatever money."""

    input: Price = Field(description="For a million tokens of prompts.")
    output: Price = Field(description="For a million tokens of answers.")
    cached: Price | None = Field(
        default=None,
        description="For a million of those of prompts that the provider had kept; by default as"
        " `input`.",
    )
    cache_write: Price | None = Field(
        default=None,
        description="For a million of those that it keeps from now on, where it counts them; the"
        " same.",
    )

    def cost(self, usage: Usage) -> float:
        """Return what tokens cost."""
        fresh, total = max(usage.prompt_tokens, 0), max(usage.completion_tokens, 0) * self.output
        details = {"cached_tokens": self.cached, "cache_write_tokens": self.cache_write}
        for name, price in details.items():
            if price is not None:
                count = min(usage.prompt_detail(name), fresh)
                fresh, total = fresh - count, total + count * price
        return (total + fresh * self.input) / _MILLION
