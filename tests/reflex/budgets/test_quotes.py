"""What a call may cost."""

from stormproof.providers import ChatRequest, EmbeddingRequest, ModelsFile, TextRequest
from stormproof.reflex import Quote, quotes

PRICED = {"provider": "local", "model": "a", "price": {"input": 2.0, "output": 10.0}}
DEARER = {
    "provider": "local",
    "model": "b",
    "price": {"input": 1.0, "output": 20.0, "cache_write": 4.0},
}
UNPRICED = {"provider": "local", "model": "c"}


def models(*rungs: object) -> ModelsFile:
    local = {"url": "http://localhost:1", "preset": "openai-compatible"}
    return ModelsFile.model_validate(
        {"providers": {"local": local}, "models": {"m": {"rungs": rungs}}}
    )


def test_the_highest_prices_of_those_who_may_answer_are_taken() -> None:
    """Keeping a prompt is part of its price; what this process answers by itself costs nothing."""
    assert quotes(models(PRICED, DEARER, {"engine": True}, {"answer": "sorry"})) == {
        "m": Quote(4.0, 20.0, (), frozenset({"engine", "default"}))
    }


def test_who_has_no_price_is_named() -> None:
    """The prices of the others are no answer to what it costs."""
    assert quotes(models(PRICED, UNPRICED))["m"].unpriced == ("local/c",)


def test_a_model_of_a_provider_has_its_published_price() -> None:
    """Embedding models too, which write no tokens."""
    listed = quotes(
        ModelsFile.model_validate(
            {
                "models": {"m": {"rungs": [{"provider": "openai", "model": "gpt-4o-mini"}]}},
                "embeddings": {
                    "e": {"rungs": [{"provider": "openai", "model": "text-embedding-3-small"}]}
                },
            }
        )
    )
    assert listed["m"] == Quote(0.15, 0.6)
    assert listed["e"].nanos(EmbeddingRequest({"model": "e", "input": [1] * 100})) == 2_000


def test_a_call_costs_its_prompt_and_the_longest_answers_it_may_get() -> None:
    """In billionths, without fractions: 2 for a million are 2,000 billionths for one."""
    quote = Quote(2.0, 10.0)
    chat = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}], "max_tokens": 50}
    assert quote.nanos(ChatRequest(chat)) == 100 * 2_000 + 50 * 10_000
    assert quote.nanos(ChatRequest({**chat, "n": 3})) == 100 * 2_000 + 150 * 10_000
    assert quote.nanos(TextRequest({"model": "m", "prompt": [1, 2], "max_tokens": 1})) == 14_000
