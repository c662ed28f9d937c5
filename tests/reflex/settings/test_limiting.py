"""Limits and budgets, as the settings say."""

import pytest

from stormproof.errors import BudgetExceeded, ConfigurationError, RateLimitExceeded
from stormproof.providers import ChatRequest, Journey, Kept, ModelsFile
from stormproof.reflex import Caller
from stormproof.reflex.settings import LineBuilder, Lines, ReflexTables

PROVIDER = {"url": "http://localhost:1", "preset": "openai-compatible"}
PRICE = {"input": 0.0, "output": 1_000_000.0}
MODELS = ModelsFile.model_validate(
    {
        "providers": {"p": PROVIDER},
        "models": {
            "priced": {"rungs": [{"provider": "p", "model": "a", "price": PRICE}]},
            "unpriced": {"rungs": [{"provider": "p", "model": "b"}]},
        },
    }
)


def lines(kept: Kept, **limits: object) -> Lines:
    tables = ReflexTables.model_validate({"limits": limits})
    return LineBuilder(kept, {}, models=MODELS).lines(tables)


async def ask(found: Lines, model: str, tokens: int = 1) -> None:
    caller, messages = Caller(key="bob"), [{"role": "user", "content": "hi"}]
    request = ChatRequest({"model": model, "max_tokens": tokens, "messages": messages})
    async with found.of(model, caller).admitted(request, caller, Journey(rung="p/a")):
        pass


async def test_money_is_counted_by_the_prices_of_the_settings() -> None:
    """A model of this process costs nothing; what a provider's costs has to be known."""
    found = lines(Kept(), all={"money_per_day": 3.0})
    await ask(found, "priced", 3)
    await ask(found, "engine", 1000)
    with pytest.raises(BudgetExceeded):
        await ask(found, "priced")
    with pytest.raises(ConfigurationError, match="price"):
        await ask(found, "unpriced")


async def test_what_was_used_is_known_after_a_change() -> None:
    """A new limit is no new minute, and no new day."""
    kept = Kept()
    before = lines(kept, key={"requests_per_minute": 9, "money_per_day": 3.0})
    await ask(before, "priced", 3)
    after = lines(kept, key={"requests_per_minute": 9, "money_per_day": 4.0})
    await ask(after, "priced", 1)
    with pytest.raises(BudgetExceeded):
        await ask(after, "priced")
    for _ in range(6):
        await ask(after, "engine")
    with pytest.raises(RateLimitExceeded):
        await ask(after, "engine")
