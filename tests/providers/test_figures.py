"""Calls are counted by what became of them, with their tokens and what those cost."""

import asyncio

import pytest

from stormproof.errors import ProviderError
from stormproof.providers.chat import Usage
from stormproof.providers.figures import ANSWERED, CANCELLED, Call, Figures
from stormproof.testing import FakeClock

USAGE = Usage(10, 5)


def price(usage: Usage) -> float:
    return usage.total_tokens * 2.0


@pytest.fixture
def figures() -> Figures:
    return Figures()


def count(figures: Figures) -> dict[str, int]:
    return dict(figures.outcomes)


def test_an_answer_is_counted_with_its_tokens_and_its_time(
    figures: Figures, clock: FakeClock
) -> None:
    with Call(figures, price) as call:
        clock.advance(0.2)
        call.used(USAGE)
    assert count(figures) == {ANSWERED: 1}
    assert (figures.prompt_tokens, figures.completion_tokens, figures.cost) == (10, 5, 30.0)
    assert figures.seconds.cumulative()[1] == pytest.approx(0.2)
    assert figures.first_seconds.cumulative()[1] == 0


def test_the_last_count_of_a_stream_is_what_counts(figures: Figures, clock: FakeClock) -> None:
    """The time to its first piece is told apart."""
    with Call(figures, price) as call:
        for usage in (Usage(10, 1), USAGE):
            clock.advance(0.5)
            call.speaks(usage)
    assert (figures.completion_tokens, call.cost) == (5, 30.0)
    assert figures.first_seconds.cumulative()[1] == pytest.approx(0.5)
    assert figures.seconds.cumulative()[1] == pytest.approx(1.0)


def fail(call: Call, error: BaseException) -> None:
    with call:
        raise error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ProviderError(provider="p"), "LLM_API_ERROR"),
        (ConnectionResetError(), "CONNECTION_LOST"),
        (asyncio.CancelledError(), CANCELLED),
        (GeneratorExit(), CANCELLED),
    ],
)
def test_a_call_that_failed_is_counted_by_its_error(
    figures: Figures, error: BaseException, outcome: str
) -> None:
    """And its time is no answer's."""
    with pytest.raises(type(error)):
        fail(Call(figures, None), error)
    assert count(figures) == {outcome: 1}
    assert figures.seconds.cumulative()[0][-1] == ("+Inf", 0.0)


def test_tokens_of_a_call_that_failed_were_spent(figures: Figures) -> None:
    call = Call(figures, price)
    call.used(USAGE)
    with pytest.raises(ProviderError):
        fail(call, ProviderError(provider="p"))
    assert (figures.completion_tokens, figures.cost) == (5, 30.0)


def test_without_a_price_nobody_knows_the_cost(figures: Figures) -> None:
    with Call(figures, None) as call:
        call.used(USAGE)
    assert (call.cost, figures.cost, figures.prompt_tokens) == (None, 0.0, 10)
