"""What a call may cost, by the prices of those who may answer it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from stormproof.providers import EmbeddingRequest, ModelsFile, price_of
from stormproof.providers.settings.hosts import EmbeddingRungSettings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import RungSettings
from stormproof.reflex.stage import Request

_NANOS_PER_TOKEN: Final = 1_000
"""Of a price of 1 for a million tokens."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What the tokens of a model cost at most, whoever of its ladder answers.

    What this process answers by itself costs nothing.

    Attributes:
        input: For a million tokens of prompts.
        output: For a million tokens of answers.
        unpriced: Who may answer, and nobody knows at what price.
        free: Who answers at no price.
    """

    input: float = 0.0
    output: float = 0.0
    unpriced: tuple[str, ...] = ()
    free: frozenset[str] = frozenset()

    def nanos(self, request: Request) -> int:
        """Return what a request may cost, in billionths."""
        if not self.input and not self.output:
            return 0
        tokens = request.tokens
        prompt = tokens if isinstance(request, EmbeddingRequest) else request.prompt_tokens
        price = prompt * self.input + (tokens - prompt) * self.output
        return round(price * _NANOS_PER_TOKEN)


def quotes(models: ModelsFile) -> Mapping[str, Quote]:
    """Return what each name that clients may ask for costs."""
    talking = {name: _quote(one.rungs, models) for name, one in models.models.items()}
    return talking | {name: _quote(one.rungs, models) for name, one in models.embeddings.items()}


def _quote(
    rungs: Iterable[RungSettings] | Iterable[EmbeddingRungSettings], models: ModelsFile
) -> Quote:
    """Return the highest of the prices of those who may answer."""
    inputs, outputs, unpriced, free = [0.0], [0.0], list[str](), set[str]()
    for rung in rungs:
        if not isinstance(rung, ProviderRung):
            free.add(rung.name)
        elif (price := price_of(rung, models.providers)) is None:
            unpriced.append(rung.name)
        else:
            inputs.append(max(price.input, price.cache_write or 0.0))
            outputs.append(price.output)
    return Quote(max(inputs), max(outputs), tuple(unpriced), frozenset(free))
