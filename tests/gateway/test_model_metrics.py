"""Who is on call sees what becomes of the calls of each rung."""

from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry

from stormproof.errors import ProviderError
from stormproof.gateway.model_metrics import ModelMetrics
from stormproof.providers import (
    ChatRequest,
    Completion,
    FixedAnswer,
    Journey,
    Ladder,
    Question,
    Rung,
)


class Down(FixedAnswer):
    name = "down"  # type: ignore[misc]

    async def complete(self, request: Question) -> Completion:
        raise ProviderError(provider="down")


@pytest.fixture
def ladder() -> Ladder:
    return Ladder("chat", [Rung(Down("")), Rung(FixedAnswer("Hi"), price=lambda _: 0.5)])


def request(**more: object) -> ChatRequest:
    messages = [{"role": "user", "content": "Hi"}]
    return ChatRequest({"model": "chat", "messages": messages, **more})


async def test_every_rung_has_its_series(ladder: Ladder) -> None:
    """By model, rung and outcome; a model that is no longer served has none."""
    ladders = {"chat": ladder}
    registry = CollectorRegistry()
    registry.register(ModelMetrics(ladders))

    def value(name: str, rung: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"model": "chat", "rung": rung, **labels})

    await ladder.complete(request(), Journey())
    async with aclosing(ladder.stream(request(stream=True), Journey())) as chunks:
        assert [chunk async for chunk in chunks]
    calls = "stormproof_model_calls_total"
    assert value(calls, "down", outcome="LLM_API_ERROR") == 2
    assert value(calls, "default", outcome="answered") == 2
    assert value("stormproof_model_call_seconds_count", "default") == 2
    assert value("stormproof_model_first_piece_seconds_count", "default") == 1
    assert value("stormproof_model_cost_total", "default") == 1.0
    assert value("stormproof_model_tokens_total", "default", kind="prompt") == 0
    ladders.clear()
    assert value(calls, "default", outcome="answered") is None
