"""Tokens are chosen as their parameters say, whoever else is in the batch."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.pytorch.sampler import sample
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.errors import TensorError

VOCAB = 600
PROBABILITIES = torch.tensor([0.5, 0.2, 0.15, 0.1, 0.05])


def draw(position: int = 0, seed: int = 1, generated: tuple[int, ...] = (), **params: Any) -> Draw:
    return Draw(SamplingParams(**params), seed, position, Counter(generated))


def tokens(logits: torch.Tensor, draws: list[Draw]) -> list[int]:
    results = sample(logits, draws)
    assert all(isinstance(result, Sampled) for result in results)
    return [result.token_id for result in results if isinstance(result, Sampled)]


def chosen(**params: Any) -> Counter[int]:
    """Count 4,000 choices among five tokens with `PROBABILITIES`."""
    logits = PROBABILITIES.log().repeat(4000, 1)
    return Counter(tokens(logits, [draw(position, **params) for position in range(4000)]))


def test_temperature_zero_takes_the_most_probable() -> None:
    assert chosen(temperature=0) == {0: 4000}


def test_tokens_come_as_often_as_they_are_probable() -> None:
    counts = chosen(temperature=1)
    for token, probability in enumerate(PROBABILITIES.tolist()):
        assert counts[token] / 4000 == pytest.approx(probability, abs=0.025)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    assert chosen(temperature=0.3)[0] > 3500
    assert chosen(temperature=50)[4] / 4000 == pytest.approx(0.2, abs=0.03)


def test_the_least_temperature_there_is_overflows_nothing() -> None:
    assert chosen(temperature=5e-324) == {0: 4000}


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 1}, {0}),
        ({"top_k": 9}, {0, 1, 2, 3, 4}),
        ({"top_p": 0.6}, {0, 1}),
        ({"top_p": 0.0}, {0}),
        ({"top_p": 0.99}, {0, 1, 2, 3, 4}),
        ({"min_p": 0.25}, {0, 1, 2}),
        ({"min_p": 1.0}, {0}),
        ({"top_k": 3, "top_p": 0.8}, {0, 1}),
        ({"top_k": 4, "min_p": 0.35}, {0, 1}),
    ],
)
def test_filters_leave_exactly_the_most_probable(params: Any, allowed: set[int]) -> None:
    """With top-k 3, top-p 0.8 is a share of 0.85: tokens 0 and 1 have 0.82 of it."""
    assert set(chosen(temperature=1, **params)) == allowed


def test_tokens_that_tie_at_the_edge_of_a_filter_all_stay() -> None:
    logits = torch.zeros(200, 4)
    drawn = tokens(logits, [draw(position, top_k=2) for position in range(200)])
    assert set(drawn) == {0, 1, 2, 3}


def test_a_nucleus_wider_than_the_first_guess_is_found() -> None:
    """Of 600 tokens, each a little less probable than the one before, 540 have 92 % of it all."""
    logits = torch.linspace(0, -0.5, VOCAB).repeat(3000, 1)
    drawn = tokens(logits, [draw(position, top_p=0.92) for position in range(3000)])
    assert 530 < max(drawn) < 545


mixed_params = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 5, 300, VOCAB, 10 * VOCAB]),
    top_p=st.sampled_from([0.0, 0.5, 0.9, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.5]),
    logprobs=st.sampled_from([None, 0, 3]),
    presence_penalty=st.sampled_from([0.0, 1.0]),
    logit_bias=st.sampled_from([{}, {3: 5.0}]),
)
mixed_draws = st.builds(
    Draw,
    params=mixed_params,
    seed=st.integers(0, 2**64 - 1),
    position=st.integers(0, 10_000),
    generated=st.lists(st.integers(0, VOCAB - 1), max_size=4).map(Counter),
)


@given(draws=st.lists(mixed_draws, min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_a_row_gets_the_same_token_alone_and_in_any_batch(draws: list[Draw], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(draws), VOCAB, generator=generator) * 4
    alone = [sample(logits[row : row + 1], [one])[0] for row, one in enumerate(draws)]
    assert sample(logits, draws) == alone


def test_the_seed_and_the_position_decide() -> None:
    logits = torch.zeros(1, VOCAB)
    assert len({tokens(logits, [draw(position)])[0] for position in range(50)}) > 40
    assert len({tokens(logits, [draw(seed=seed)])[0] for seed in range(50)}) > 40


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_the_least_and_the_greatest_number_choose_possible_tokens(
    number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stormproof.engine.pytorch.sampler.uniform", lambda *_: number)
    logits = torch.full((1, VOCAB), -math.inf)
    logits[0, 5:9] = 0.1
    assert tokens(logits, [draw()]) == [5 if number == 0 else 8]


def test_penalties_and_biases_move_the_choice() -> None:
    logits = torch.tensor([[2.0, 1.9, 0.0]])
    assert tokens(logits, [draw(temperature=0, presence_penalty=1, generated=(0,))]) == [1]
    assert tokens(logits, [draw(temperature=0, frequency_penalty=0.06, generated=(0, 0))]) == [1]
    assert tokens(logits, [draw(temperature=0, frequency_penalty=0.06, generated=(0,))]) == [0]
    assert tokens(logits, [draw(temperature=0, logit_bias={2: 100})]) == [2]
    assert logits.tolist() == torch.tensor([[2.0, 1.9, 0.0]]).tolist()


def test_log_probabilities_are_those_of_the_model() -> None:
    """Temperature and biases change what is chosen, not what is reported."""
    logits = PROBABILITIES.log().unsqueeze(0)
    [result] = sample(logits, [draw(temperature=0.1, logit_bias={3: 100}, logprobs=2)])
    assert isinstance(result, Sampled)
    assert result.logprobs is not None
    assert result.logprobs.token_id == result.token_id == 3
    assert result.logprobs.logprob == pytest.approx(math.log(0.1))
    assert [token for token, _ in result.logprobs.top] == [0, 1]
    assert result.logprobs.top[1][1] == pytest.approx(math.log(0.2))


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_fail_their_own_row_alone(
    poison: float, temperature: float
) -> None:
    logits = torch.randn(3, VOCAB, generator=torch.Generator().manual_seed(0))
    draws = [draw(seed=row, temperature=temperature, top_p=0.9) for row in range(3)]
    healthy = sample(logits, draws)
    poisoned = logits.clone()
    poisoned[1, 4] = poison
    results = sample(poisoned, draws)
    assert isinstance(results[1], TensorError)
    assert [results[0], results[2]] == [healthy[0], healthy[2]]


def test_a_row_in_which_nothing_is_possible_fails() -> None:
    [result] = sample(torch.full((1, 5), -math.inf), [draw()])
    assert isinstance(result, TensorError)


def test_a_token_that_is_impossible_is_never_chosen() -> None:
    logits = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]).repeat(500, 1)
    drawn = tokens(logits, [draw(position, temperature=2) for position in range(500)])
    assert set(drawn) == {1, 3}


def mask(*allowed: int) -> bytes:
    """Set the bits of tokens, as a grammar does."""
    return sum(1 << token for token in allowed).to_bytes(-(-VOCAB // 32) * 4, "little")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_only_tokens_that_are_allowed_are_chosen(temperature: float) -> None:
    logits = torch.arange(VOCAB).repeat(200, 1) / 1000
    draws = [
        replace(draw(position, temperature=temperature), allowed=mask(3, 31, 32, 599))
        for position in range(200)
    ]
    assert set(tokens(logits, draws)) == ({3, 31, 32, 599} if temperature else {599})


def test_tokens_beyond_the_mask_are_not_allowed() -> None:
    logits = torch.arange(VOCAB)[None] / 100
    assert tokens(logits, [replace(draw(temperature=0), allowed=mask(3, 31)[:4])]) == [31]


def test_a_mask_that_allows_nothing_fails_its_row_alone() -> None:
    draws = [replace(draw(), allowed=allowed) for allowed in (mask(7), mask(), None)]
    first, second, third = sample(torch.zeros(3, VOCAB), draws)
    assert isinstance(first, Sampled)
    assert first.token_id == 7
    assert isinstance(second, TensorError)
    assert "allowed" in str(second)
    assert isinstance(third, Sampled)
