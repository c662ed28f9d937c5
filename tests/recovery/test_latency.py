"""How long the last calls took."""

from math import nextafter
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.recovery.latency import LatencyRecord

seconds = st.one_of(
    st.floats(min_value=0, max_value=1e5),
    st.sampled_from([0.0, 0.1, 0.5, nextafter(0.5, 1)]),  # calls often take the same time
)


@given(st.lists(seconds, max_size=60), st.integers(1, 20), st.floats(0, 1), st.integers(1, 25))
def test_a_quantile_is_that_of_the_last_calls(
    latencies: list[float], size: int, q: float, minimum: int
) -> None:
    """Against the definition: the least latency that at least the part q did not exceed."""
    record = LatencyRecord(size)
    for count, latency in enumerate(latencies, start=1):
        record.add(latency)
        window = latencies[max(count - size, 0) : count]
        found = record.quantile(q, minimum=minimum)
        if len(window) < minimum:
            assert found is None
        else:
            enough = [one for one in window if sum(v <= one for v in window) >= q * len(window)]
            assert found == min(enough)


@pytest.mark.parametrize(("q", "expected"), [(0, 0.01), (0.5, 0.5), (0.95, 0.95), (1, 1.0)])
def test_the_nearest_rank_counts(q: float, expected: float) -> None:
    record = LatencyRecord()
    for hundredth in range(100, 0, -1):
        record.add(hundredth / 100)
    assert record.quantile(q, minimum=100) == expected


def test_nothing_is_said_of_too_few_calls() -> None:
    record = LatencyRecord()
    assert record.quantile(0.5, minimum=0) is None
    record.add(1.0)
    assert record.quantile(0.5, minimum=2) is None
    assert record.quantile(0.5, minimum=1) == 1.0


def test_threads_lose_and_mix_up_nothing() -> None:
    record = LatencyRecord(size=100)
    together = Barrier(4)

    def add() -> None:
        together.wait()
        for number in range(5_000):
            record.add(float(number % 97))

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(100):
        record.add(1.0)
    assert record.quantile(0, minimum=100) == record.quantile(1, minimum=100) == 1.0
    assert record.quantile(1, minimum=101) is None


def test_a_finalizer_may_ask_while_the_latencies_are_put_in_order() -> None:
    """The garbage collector may run one, and so a guarded call, at any point of a thread."""
    record = LatencyRecord(8)

    class Asks(float):
        def __lt__(self, other: float) -> bool:
            record.quantile(0.5, minimum=1)
            return float(self) < float(other)

    for seconds in (3, 1, 2, 4):
        record.add(Asks(seconds))
    assert record.quantile(0.5, minimum=4) == 2
