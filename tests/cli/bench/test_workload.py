"""What is asked, by a word such as ``32x16-256+16-256``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.cli.bench.workload import Workload


def test_numbers_and_ranges() -> None:
    workload = Workload.parse("32x16-256+8")
    assert (workload.requests, workload.prompt, workload.output) == (32, (16, 256), (8, 8))


@pytest.mark.parametrize(
    "spec", ["", "8", "8x128", "0x1+1", "1x0+1", "1x1+0", "1x9-8+1", "1x1+1-", "-1x1+1", "1x1+1 "]
)
def test_anything_else_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Workload.parse(spec)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 50), st.integers(4, 50_000))
def test_requests_are_what_was_asked_and_the_same_for_a_seed(
    count: int, low: int, more: int, vocab_size: int
) -> None:
    workload = Workload.parse(f"{count}x{low}-{low + more}+{low}")
    requests = workload.make(7, vocab_size)
    assert len(requests) == count
    assert all(low <= len(request.prompt) <= low + more for request in requests)
    assert all(request.max_tokens == low for request in requests)
    assert all(0 <= token < vocab_size for request in requests for token in request.prompt)
    assert requests == workload.make(7, vocab_size)


def test_another_seed_makes_other_prompts() -> None:
    workload = Workload.parse("2x100+1")
    assert workload.make(0, 50_000) != workload.make(1, 50_000)
