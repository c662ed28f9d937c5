"""The native sampler: the rules of `stormproof.engine.pytorch.sampler`, token for token."""

import ctypes
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stormproof.engine.native.build import library_path
from stormproof.engine.native.structures import SpDraw
from stormproof.engine.pytorch.sampler import sample
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.sampling.randomness import uniform

Logits = NDArray[np.float32]

NOT_NUMBERS, NOTHING_ALLOWED = -1, -2


@dataclass(frozen=True)
class Chosen:
    token: int
    logprob: float
    top: list[tuple[int, float]]


Choose = Callable[..., Chosen]


@pytest.fixture(scope="module")
def choose() -> Choose:
    """Calls the sampler on one row."""
    library = ctypes.CDLL(str(library_path()))

    def call(
        logits: Logits,
        *,
        offsets: Mapping[int, float] | None = None,
        allowed: bytes | None = None,
        logprobs: int = -1,
        **params: Any,
    ) -> Chosen:
        biased = np.array(list(offsets or {}), np.int32)
        biases = np.array(list((offsets or {}).values()), np.float32)
        mask = np.frombuffer(allowed, np.uint32) if allowed is not None else None
        top_tokens = np.zeros(max(logprobs, 0), np.int32)
        top_logprobs = np.zeros(max(logprobs, 0), np.float32)
        draw = SpDraw(
            row=0,
            **{
                "temperature": 0.0,
                "top_p": 1.0,
                "min_p": 0.0,
                "top_k": 0,
                "uniform": 0.5,
                **params,
            },
            offsets=len(biased),
            offset_tokens=biased.ctypes.data,
            offset_values=biases.ctypes.data,
            allowed=None if mask is None else mask.ctypes.data,
            logprobs=logprobs,
            top_tokens=top_tokens.ctypes.data,
            top_logprobs=top_logprobs.ctypes.data,
        )
        library.sp_choose(ctypes.c_void_p(logits.ctypes.data), len(logits), ctypes.byref(draw), 1)
        top = list(zip(top_tokens.tolist(), top_logprobs.tolist(), strict=True))
        return Chosen(draw.token, draw.logprob, top)

    return call


def mask_of(tokens: list[int], vocab: int) -> bytes:
    words = np.zeros(-(-vocab // 32), np.uint32)
    for token in tokens:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words.tobytes()


def noise(seed: int, vocab: int = 1000, step: float = 0.125) -> Logits:
    """Logits on a coarse grid, so that many are equal."""
    drawn = np.random.default_rng(seed).normal(0, 3, vocab)
    return (np.round(drawn / step) * step).astype(np.float32)


@dataclass(frozen=True)
class Rules:
    temperature: float
    top_k: int
    top_p: float
    min_p: float

    def weights(self, logits: Logits) -> NDArray[np.float64]:
        """What every token weighs, slowly and in float64; 0 for those that are cut off."""
        scores = (logits.astype(np.float64) - float(logits.max())) / self.temperature
        weights = np.exp(scores)
        best = np.sort(scores)[::-1]
        if self.top_k:
            best = best[: self.top_k]
        floor = best[-1] if self.top_k else -math.inf
        if self.top_p < 1:
            before = np.cumsum(np.exp(best)) - np.exp(best)
            goal = self.top_p * np.exp(best).sum()
            assume(np.abs(before - goal).min() > 1e-5 * goal)
            floor = max(floor, best[max(int((before < goal).sum()), 1) - 1])
        if self.min_p:
            assume(np.abs(weights - self.min_p).min() > 1e-6)
            floor = max(floor, math.log(self.min_p))
        return np.where(scores >= floor, weights, 0)


RULES = st.builds(
    Rules,
    temperature=st.sampled_from([0.1, 0.7, 1.0, 1.5, 10.0]),
    top_k=st.sampled_from([0, 1, 2, 7, 50, 400, 999, 1000, 5000]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.95, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
)


@given(rules=RULES, seed=st.integers(0, 2**32), point=st.floats(0, 1, exclude_max=True))
def test_it_inverts_the_distribution_that_the_rules_define(
    choose: Choose, rules: Rules, seed: int, point: float
) -> None:
    """Away from ties by rounding, the token is the one that a slow exact computation finds."""
    logits = noise(seed)
    cumulative = np.cumsum(rules.weights(logits)) / rules.weights(logits).sum()
    assume(np.abs(cumulative - point).min() > 1e-5)
    wanted = int(np.searchsorted(cumulative, point, side="right"))
    assert choose(logits, uniform=point, **vars(rules)).token == wanted


@given(rules=RULES, seed=st.integers(0, 2**32))
def test_it_chooses_what_the_torch_sampler_chooses(choose: Choose, rules: Rules, seed: int) -> None:
    """An answer does not change with what computes it, where rounding does not decide."""
    logits = noise(seed)
    offsets = {3: -1.5, 17: 4.0, int(logits.argmax()): -2.25}
    point = uniform(seed, 5)
    weights = rules.weights(_with(logits, offsets))
    assume(np.abs(np.cumsum(weights) / weights.sum() - point).min() > 1e-5)
    params = SamplingParams(**vars(rules), logit_bias=offsets)
    [wanted] = sample(torch.from_numpy(logits)[None], [Draw(params, seed, 5)])
    assert isinstance(wanted, Sampled)
    found = choose(logits, uniform=point, offsets=offsets, **vars(rules))
    assert found.token == wanted.token_id


def _with(logits: Logits, offsets: Mapping[int, float]) -> Logits:
    changed = logits.copy()
    for token, offset in offsets.items():
        changed[token] += offset
    return changed


@given(vocab=st.integers(1, 700), seed=st.integers(0, 2**32), data=st.data())
def test_only_allowed_tokens_are_chosen(
    choose: Choose, vocab: int, seed: int, data: st.DataObject
) -> None:
    """Whatever the size of the vocabulary, and even where the allowed ones are improbable."""
    allowed = data.draw(st.lists(st.integers(0, vocab - 1), min_size=1, max_size=40))
    mask = mask_of(allowed, vocab)
    logits = noise(seed, vocab)
    for temperature in (0.0, 1.0):
        for point in (0.0, 0.5, 1 - 2**-53):
            found = choose(
                logits, allowed=mask, temperature=temperature, uniform=point, top_p=0.9, top_k=20
            )
            assert found.token in allowed
    best = max(logits[allowed])
    assert choose(logits, allowed=mask).token == min(t for t in allowed if logits[t] == best)


@given(vocab=st.integers(1, 700), seed=st.integers(0, 2**32))
def test_greedy_takes_the_first_of_the_most_probable(choose: Choose, vocab: int, seed: int) -> None:
    """Equal logits are common in low precision; the lowest token id wins."""
    logits = noise(seed, vocab, step=2.0)
    assert choose(logits).token == int(logits.argmax())


def test_top_k_of_one_is_greedy_at_any_temperature(choose: Choose) -> None:
    """A score that only rounding makes equal to the best is no tie."""
    logits = noise(1)
    logits[500] = np.float32(20)
    logits[100] = np.nextafter(np.float32(20), np.float32(0))
    for point in (0.0, 0.5, 0.999):
        assert choose(logits, temperature=100.0, top_k=1, uniform=point).token == 500


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 130, 999])
def test_a_row_that_is_not_numbers_is_reported(
    choose: Choose, temperature: float, wrong: float, place: int
) -> None:
    """No token is made up for a broken forward pass."""
    logits = noise(2)
    logits[place] = wrong
    assert choose(logits, temperature=temperature, top_p=0.9).token == NOT_NUMBERS


def test_a_row_without_any_probability_is_reported(choose: Choose) -> None:
    """So are logits that are all minus infinity."""
    assert choose(np.full(100, -np.inf, np.float32)).token == NOT_NUMBERS


def test_some_tokens_may_be_impossible(choose: Choose) -> None:
    """Minus infinity is a probability of nought, however much of the rest is drawn."""
    logits = np.full(1000, -np.inf, np.float32)
    logits[[5, 700]] = 0
    params = {"temperature": 1.0, "top_k": 900, "top_p": 0.999}
    assert choose(logits, uniform=0.4, **params).token == 5
    assert choose(logits, uniform=0.6, **params).token == 700


def test_nothing_allowed_is_reported(choose: Choose) -> None:
    """Bits beyond the vocabulary allow nothing."""
    assert choose(noise(3, 70), allowed=mask_of([], 70)).token == NOTHING_ALLOWED
    assert choose(noise(3, 70), allowed=mask_of([71, 95], 96)).token == NOTHING_ALLOWED


@given(vocab=st.integers(1, 700), seed=st.integers(0, 2**32), count=st.integers(0, 20))
def test_log_probabilities_are_of_the_logits_as_they_came(
    choose: Choose, vocab: int, seed: int, count: int
) -> None:
    """Best first, of equal ones the first; what was asked of the choice does not change them."""
    logits = noise(seed, vocab)
    wide = logits.astype(np.float64)
    exact = wide - np.log(np.exp(wide - wide.max()).sum()) - wide.max()
    found = choose(
        logits,
        logprobs=count,
        temperature=0.5,
        top_k=3,
        offsets={0: 5.0},
        allowed=mask_of([0, vocab - 1], vocab),
    )
    assert found.logprob == pytest.approx(exact[found.token], abs=1e-5)
    order = sorted(range(vocab), key=lambda token: (-logits[token], token))[:count]
    assert [token for token, _ in found.top] == order + [-1] * (count - len(order))
    assert [value for _, value in found.top[: len(order)]] == pytest.approx(
        exact[order].tolist(), abs=1e-5
    )


def test_every_token_comes_as_often_as_it_is_probable(choose: Choose) -> None:
    """Evenly spaced random numbers give each token its share, to within one."""
    logits = np.array([0.0, 1.0, -2.0, 3.0, 0.5], np.float32)
    draws = 2000
    points = [(n + 0.5) / draws for n in range(draws)]
    tokens = [choose(logits, temperature=1.0, uniform=point).token for point in points]
    shares = np.exp(logits) / np.exp(logits).sum() * draws
    assert np.abs(np.bincount(tokens, minlength=5) - shares).max() <= 1
