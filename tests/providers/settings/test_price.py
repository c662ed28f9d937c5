"""What an answer costs is told by its tokens."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.providers.chat import Usage
from stormproof.providers.settings.price import PriceSettings

PLAIN = PriceSettings(input=2.0, output=10.0)
KEPT = PriceSettings(input=2.0, output=10.0, cached=0.5, cache_write=2.5)
M = 1_000_000


def usage(prompt: int, completion: int, **details: Any) -> Usage:
    return Usage(prompt, completion, details or None)


@pytest.mark.parametrize(
    ("price", "used", "cost"),
    [
        (PLAIN, usage(M, 0), 2.0),
        (PLAIN, usage(0, M), 10.0),
        (PLAIN, usage(M, M, cached_tokens=M), 12.0),
        (KEPT, usage(M, 0, cached_tokens=M), 0.5),
        (KEPT, usage(3 * M, M, cached_tokens=M, cache_write_tokens=M), 0.5 + 2.5 + 2.0 + 10.0),
        (KEPT, usage(M, 0, cached_tokens="many", cache_write_tokens=None), 2.0),
        (KEPT, usage(M, 0, cached_tokens=9 * M), 0.5),
        (KEPT, usage(-M, -M), 0.0),
    ],
)
def test_tokens_have_their_prices(price: PriceSettings, used: Usage, cost: float) -> None:
    """Those that the provider kept have their own; a count that makes no sense is none."""
    assert price.cost(used) == pytest.approx(cost)


COUNTS = st.integers(-(2**63), 2**63)


@given(
    COUNTS,
    COUNTS,
    st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens"]), COUNTS),
)
def test_no_provider_can_make_an_answer_pay(
    prompt: int, completion: int, details: dict[str, int]
) -> None:
    assert KEPT.cost(usage(prompt, completion, **details)) >= 0
