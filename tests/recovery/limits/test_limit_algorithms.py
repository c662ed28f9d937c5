"""How high a limit is, from the latency of calls: what each algorithm makes of a history."""

import heapq
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ValidationErrors
from stormproof.recovery import AIMD, Gradient
from stormproof.recovery.limits.limit_algorithms import LimitAlgorithm, LimitEstimate
from stormproof.testing import FakeClock

MINIMUM, MAXIMUM = 1, 200


class Server:
    """Answers within ``latency`` while it has no more to do than it can, and then shares itself.

    As many calls as the limit allows, or as there is demand, are always under way.
    """

    def __init__(
        self, algorithm: LimitAlgorithm, *, capacity: int, latency: float = 0.2, initial: int = 20
    ) -> None:
        self.estimate = algorithm.estimate(initial, MINIMUM, MAXIMUM)
        self.limit, self.capacity, self.latency = initial, capacity, latency
        self.demand = MAXIMUM
        self.now = 0.0
        self.running = self.serial = 0
        self.ends: list[tuple[float, int, float, int]] = []
        self.random = FakeClock().random
        self.limits: list[int] = []

    def run(self, seconds: float) -> list[int]:
        """Return the limit after each call of so many more seconds."""
        until, self.limits = self.now + seconds, []
        while self.now < until:
            while self.running < min(self.limit, self.demand):
                self.begin()
            self.end()
        return self.limits

    def begin(self) -> None:
        self.running += 1
        self.serial += 1
        took = self.latency * max(1.0, self.running / self.capacity) * (0.7 + 0.6 * self.random())
        heapq.heappush(self.ends, (self.now + took, self.serial, self.now, self.running))

    def end(self) -> None:
        self.now, _, began, running = heapq.heappop(self.ends)
        self.running -= 1
        self.limit = self.estimate.update(began, self.now - began, running, False)
        self.limits.append(self.limit)


def typical(limits: list[int]) -> int:
    return sorted(limits)[len(limits) // 2]


ALGORITHMS: list[Callable[[float], LimitAlgorithm]] = [
    lambda _: Gradient(),
    lambda latency: AIMD(latency=1.5 * latency),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["gradient", "aimd"])
@pytest.mark.parametrize("capacity", [10, 40, 80])
def test_under_full_load_the_limit_finds_the_capacity(
    algorithm: Callable[[float], LimitAlgorithm], capacity: int
) -> None:
    """Within a factor of two, which is what the tolerated latency amounts to."""
    server = Server(algorithm(0.2), capacity=capacity)
    server.run(120)
    assert 0.8 * capacity <= typical(server.run(60)) <= 2 * capacity


def test_after_two_hours_of_full_load_it_still_is_there() -> None:
    """What the load itself makes of the latency does not become the usual latency."""
    server = Server(Gradient(), capacity=20, latency=1.0)
    server.run(2 * 3600)
    assert 16 <= typical(server.run(600)) <= 44


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["gradient", "aimd"])
def test_it_falls_with_the_capacity_and_comes_back(
    algorithm: Callable[[float], LimitAlgorithm],
) -> None:
    server = Server(algorithm(0.2), capacity=40)
    before = typical(server.run(120)[-100:])
    server.capacity = 10
    server.run(60)
    assert typical(server.run(30)) < before / 2
    server.capacity = 40
    server.run(60)
    assert typical(server.run(30)) > 0.8 * before


def test_a_slow_beginning_is_forgotten() -> None:
    """The first calls find a cold server, whose latency is not the usual one."""
    server = Server(Gradient(), capacity=40, latency=5.0)
    server.run(6)
    server.latency = 0.2
    server.run(240)
    assert typical(server.run(60)) <= 80


def test_a_new_latency_becomes_the_usual_one_in_time() -> None:
    """Longer answers are not overload: at first the limit falls, then it comes back."""
    server = Server(Gradient(), capacity=40)
    server.run(120)
    server.latency = 0.8
    assert min(server.run(60)) < 20
    server.run(600)
    assert typical(server.run(60)) > 40


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["gradient", "aimd"])
def test_with_little_to_do_it_does_not_grow(
    algorithm: Callable[[float], LimitAlgorithm],
) -> None:
    server = Server(algorithm(0.2), capacity=40)
    server.demand = 9
    assert set(server.run(120)) == {20}


def windows(
    estimate: LimitEstimate, seconds: range, running: int = 20, latency: float = 1.0, drops: int = 0
) -> Iterator[int]:
    """Give the limit after each of these seconds, in which 20 calls began."""
    for second in seconds:
        limits = [
            estimate.update(float(second), 0.001 if drop else latency, running, drop)
            for drop in [True] * drops + [False] * (20 - drops)
        ]
        yield limits[-1]


def test_aimd_grows_by_one_for_as_many_calls_as_the_limit() -> None:
    estimate = AIMD(latency=2.0).estimate(10, 1, 100)
    limits = [estimate.update(0.0, 1.0, 10, False) for _ in range(24)]
    assert limits[8:12] == [10, 10, 11, 11]
    assert limits[-1] == 12


def test_aimd_falls_once_for_calls_that_were_under_way_together() -> None:
    estimate = AIMD(latency=2.0, backoff=0.5).estimate(64, 1, 100)
    assert [estimate.update(0.0, 3.0, 64, False) for _ in range(64)] == [32] * 64
    assert estimate.update(2.9, 3.0, 32, False) == 32
    assert estimate.update(3.0, 3.0, 32, False) == 16


def test_aimd_takes_a_drop_for_a_call_that_was_too_slow() -> None:
    estimate = AIMD(latency=2.0, backoff=0.5).estimate(64, 1, 100)
    assert estimate.update(0.0, 0.001, 1, True) == 32


def test_gradient_falls_by_the_share_of_calls_that_were_dropped() -> None:
    estimate = Gradient(smoothing=1.0).estimate(100, 1, 200)
    assert [*windows(estimate, range(1), running=1, drops=5)] == [75]


def test_gradient_gets_to_the_minimum_if_every_call_is_dropped() -> None:
    estimate = Gradient().estimate(20, 3, 200)
    assert [*windows(estimate, range(100), drops=20)][-1] == 3


def test_a_quick_rejection_is_no_low_latency() -> None:
    """A server that turns calls away at once is not a fast one."""
    estimate = Gradient().estimate(20, 1, 200)
    assert [*windows(estimate, range(60), drops=10)][-1] < 10


def test_gradient_halves_the_limit_to_see_the_usual_latency() -> None:
    """At first, once in ``long_window`` windows without a quiet one, and until there is one."""
    estimate = Gradient(long_window=10).estimate(20, 1, 20)
    assert [*windows(estimate, range(1))] == [10]
    assert [*windows(estimate, range(1, 2), running=10)] == [20]
    assert [*windows(estimate, range(2, 15))] == [20] * 9 + [10] * 4
    assert [*windows(estimate, range(15, 16), running=10)] == [20]


def test_while_it_waits_for_a_quiet_window_a_loaded_one_says_nothing() -> None:
    """Calls that were under way when the limit was halved still suffer from each other."""
    estimate = Gradient().estimate(20, 1, 200)
    assert [*windows(estimate, range(5), latency=9.0)] == [10] * 5
    assert [*windows(estimate, range(20, 21), running=10)] == [20]


def test_however_slow_a_window_is_half_of_the_limit_stays() -> None:
    estimate = Gradient(smoothing=1.0).estimate(100, 1, 200)
    assert [*windows(estimate, range(1), running=49)] == [100]
    assert [*windows(estimate, range(1, 2), running=100, latency=500.0)] == [50 + 10]


def test_calls_that_take_no_time_do_no_harm() -> None:
    estimate = Gradient().estimate(20, 1, 200)
    assert [*windows(estimate, range(10), running=10, latency=0.0)] == [20] * 10


@given(
    algorithm=st.sampled_from([Gradient(long_window=10), Gradient(smoothing=1), AIMD(latency=1)]),
    calls=st.lists(
        st.tuples(st.floats(0, 1e5), st.floats(0, 1e4), st.integers(1, 1000), st.booleans()),
        max_size=200,
    ),
    repeat=st.integers(1, 20),
)
def test_whatever_happens_the_limit_is_within_its_bounds(
    algorithm: LimitAlgorithm, calls: list[tuple[float, float, int, bool]], repeat: int
) -> None:
    estimate = algorithm.estimate(20, 3, 50)
    for call in calls * repeat:
        assert 3 <= estimate.update(*call) <= 50


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        (AIMD, {"latency": 0}),
        (AIMD, {"latency": float("nan")}),
        (AIMD, {"latency": 1, "increase": 0}),
        (AIMD, {"latency": 1, "backoff": 1}),
        (Gradient, {"tolerance": 2}),
        (Gradient, {"tolerance": 0.9}),
        (Gradient, {"smoothing": 0}),
        (Gradient, {"window": 0}),
        (Gradient, {"long_window": 9}),
    ],
    ids=repr,
)
def test_options_are_checked(algorithm: type[LimitAlgorithm], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationErrors):
        algorithm(**options)


def test_they_print_in_a_few_words() -> None:
    assert str(AIMD(latency=2.5)) == "AIMD within 2.5s"
    assert str(Gradient()) == "gradient, tolerance 1.5"
