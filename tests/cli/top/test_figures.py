"""From counters to what a person wants to know."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.cli.top.figures import Figures, Percentiles, quantile
from stormproof.cli.top.scrape import Scrape

SERIES = """\
stormproof_engine_generated_tokens_total {tokens}
stormproof_engine_prompt_tokens_total {prompts}
stormproof_engine_steps_total {steps}
stormproof_engine_step_seconds_total {seconds}
stormproof_engine_kv_blocks 100
stormproof_engine_kv_blocks_free 25
stormproof_engine_prefix_query_tokens_total {queries}
stormproof_engine_prefix_hit_tokens_total {hits}
stormproof_engine_time_to_first_token_seconds_bucket{{le="0.1"}} {fast}
stormproof_engine_time_to_first_token_seconds_bucket{{le="0.2"}} {all}
stormproof_engine_time_to_first_token_seconds_bucket{{le="+Inf"}} {all}
stormproof_errors_total{{code="A",component="gateway"}} 1
stormproof_errors_total{{code="A",component="engine"}} 2
"""


def scrape(at: float, **values: float) -> Scrape:
    given = dict.fromkeys(
        ("tokens", "prompts", "steps", "seconds", "queries", "hits", "fast", "all"), 0.0
    )
    return Scrape.parse(SERIES.format(**{**given, **values}), at)


def pair(found: Percentiles | None) -> tuple[float, float] | None:
    return (found.p50, found.p95) if found else None


def test_throughput_is_that_of_the_last_interval() -> None:
    looks = [scrape(0.0), scrape(10.0, tokens=1000), scrape(12.0, tokens=1100, prompts=50)]
    figures = Figures.of(looks)
    assert figures.output_tokens_per_second == 50
    assert figures.prompt_tokens_per_second == 25
    assert (figures.kv_blocks, figures.kv_blocks_used) == (100, 75)
    assert figures.errors == {"A": 3}


def test_times_and_shares_are_those_of_all_looks() -> None:
    looks = [scrape(0.0), scrape(1.0, steps=4, seconds=0.1, queries=10, hits=9), scrape(2.0)]
    looks[2] = scrape(2.0, steps=4, seconds=0.1, queries=10, hits=9, fast=10, all=10)
    figures = Figures.of(looks)
    assert figures.step_seconds == pytest.approx(0.025)
    assert figures.prefix_hit_rate == pytest.approx(0.9)
    assert pair(figures.first_token) == pytest.approx((0.05, 0.095))


def test_nothing_seen_yet_is_no_number() -> None:
    figures = Figures.of([scrape(0.0, steps=5, seconds=1, fast=1, all=1)])
    assert figures.output_tokens_per_second == 0
    assert (figures.step_seconds, figures.first_token, figures.acceptance) == (None, None, None)


def test_a_server_that_was_started_again_is_compared_with_nothing() -> None:
    looks = [scrape(0.0, tokens=900, fast=50, all=80), scrape(1.0, tokens=10, fast=4, all=4)]
    figures = Figures.of(looks)
    assert figures.output_tokens_per_second == 10
    assert pair(figures.first_token) == pytest.approx((0.05, 0.095))


@given(st.lists(st.floats(0, 5), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_exact_one(seconds: list[float], share: float) -> None:
    bounds = [0.5, 1.0, 2.0, math.inf]
    buckets = [(bound, float(sum(s <= bound for s in seconds))) for bound in bounds]
    exact = sorted(seconds)[max(math.ceil(share * len(seconds)) - 1, 0)]
    upper = next(bound for bound in bounds if exact <= bound)
    lower = max((bound for bound in (0.0, *bounds) if bound < exact), default=0.0)
    found = quantile(buckets, share)
    assert min(lower, 2.0) - 1e-9 <= found <= min(upper, 2.0) + 1e-9 or not share
