"""The service rate turns what was measured into how long to wait."""

import pytest

from stormproof.engine.scheduling.service_rate import LONGEST_WAIT, SHORTEST_WAIT, ServiceRate


def measured(*, finished: int, seconds: float, steps: int) -> ServiceRate:
    rate = ServiceRate()
    for _ in range(steps):
        rate.record(finished=finished, seconds=seconds)
    return rate


def test_the_wait_is_the_queue_over_the_rate() -> None:
    rate = measured(finished=1, seconds=0.5, steps=2000)
    assert rate.wait_for(20) == pytest.approx(10, rel=0.01)


def test_the_recent_past_counts_most() -> None:
    rate = measured(finished=1, seconds=0.5, steps=2000)
    for _ in range(100):
        rate.record(finished=1, seconds=4)
    assert rate.wait_for(5) == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("requests", [0, 1])
def test_it_never_says_at_once(requests: int) -> None:
    assert measured(finished=32, seconds=0.01, steps=100).wait_for(requests) == SHORTEST_WAIT


def test_it_never_says_for_ever() -> None:
    assert measured(finished=0, seconds=60, steps=5000).wait_for(3) == LONGEST_WAIT


def test_what_cannot_leave_is_judged_by_a_full_engine() -> None:
    """Half as long as it took, and four times as many may be worked on as were lately."""
    rate = ServiceRate()
    for _ in range(2000):
        rate.record(finished=1, seconds=0.5, busy=0.25)
    assert rate.least_wait(80) == pytest.approx(5, rel=0.01)


def test_before_anything_was_measured_a_request_a_second_is_assumed() -> None:
    assert ServiceRate().wait_for(7) == pytest.approx(7)
