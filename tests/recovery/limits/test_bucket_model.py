"""Buckets under random histories, next to ones that count what is in them."""

from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stormproof.recovery.limits.bucket import Allowance, JointBuckets, TokenBucket

# All exact in binary: the model and the buckets see the same numbers.
COSTS = st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.5])
RATES = st.sampled_from([0.5, 1.0, 4.0])
PERIODS = st.sampled_from([1.0, 2.0, 64.0])
BURSTS = st.integers(4, 8)


class Level:
    """How much there is, as a fraction: it grows with time up to the burst, and may be a debt."""

    def __init__(self, permits: float, period: float, burst: int) -> None:
        self.rate = Fraction(permits) / Fraction(period)
        self.burst = Fraction(burst)
        self.level = self.burst

    def pass_time(self, seconds: float) -> None:
        self.add(Fraction(seconds) * self.rate)

    def add(self, amount: Fraction) -> None:
        self.level = min(self.level + amount, self.burst)

    def wait_for(self, cost: float) -> Fraction:
        return max((Fraction(cost) - self.level) / self.rate, Fraction(0))

    def ration(self, left: float, delay: float) -> None:
        after = min(Fraction(left), self.burst) - Fraction(delay) * self.rate
        self.level = min(self.level, after)


class AllowanceMachine(RuleBasedStateMachine):
    """Whatever happens, an allowance says and holds what its levels do.

    ``units`` has what calls cost; ``calls`` counts them, where that is limited too.
    """

    allowance: Allowance
    units: Level
    calls: Level | None = None
    now = 1024.0

    def wait_for(self, cost: float, calls: int = 1) -> float:
        waits = [self.units.wait_for(cost)]
        if self.calls:
            waits.append(self.calls.wait_for(calls))
        return float(max(waits))

    @rule(cost=COSTS)
    def take(self, cost: float) -> None:
        expected = self.wait_for(cost)
        assert self.allowance.take(cost, self.now) == pytest.approx(expected)
        if not expected:
            self.units.level -= Fraction(cost)
            if self.calls:
                self.calls.level -= 1

    @rule(cost=COSTS)
    def give_back(self, cost: float) -> None:
        self.allowance.give_back(cost, self.now)
        self.units.add(Fraction(cost))
        if self.calls:
            self.calls.add(Fraction(1))

    @rule(extra=st.sampled_from([-8.0, -1.0, 0.25, 3.5, 20.0]))
    def charge(self, extra: float) -> None:
        """The bucket may get into debt, and is never more than full."""
        self.allowance.charge(extra, self.now)
        self.units.add(Fraction(-extra))

    @rule(left=st.none() | COSTS, delay=st.sampled_from([0.0, 0.5, 8.0]))
    def ration(self, left: float | None, delay: float) -> None:
        self.allowance.ration(left, self.now, delay=delay)
        if left is not None:
            self.units.ration(left, delay)

    @rule(left=COSTS, delay=st.sampled_from([0.0, 0.5, 8.0]))
    @precondition(lambda self: self.calls is not None)
    def ration_calls(self, left: float, delay: float) -> None:
        assert self.calls
        self.allowance.ration(None, self.now, calls=left, delay=delay)
        self.calls.ration(left, delay)

    @rule(seconds=st.sampled_from([0.25, 1.0, 7.5, 512.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.units.pass_time(seconds)
        if self.calls:
            self.calls.pass_time(seconds)

    @invariant()
    def foresees_the_same(self) -> None:
        for cost, calls in ((0.0, 1), (1.0, 1), (11.5, 3)):
            said = self.allowance.wait_for(cost, self.now, calls)
            assert said == pytest.approx(self.wait_for(cost, calls))


class OneBucketMachine(AllowanceMachine):
    @initialize(permits=RATES, period=PERIODS, burst=BURSTS)
    def begin(self, permits: float, period: float, burst: int) -> None:
        self.allowance = TokenBucket(permits, period, burst)
        self.units = Level(permits, period, burst)


class JointBucketsMachine(AllowanceMachine):
    """Both or neither: a call that one of the two has nothing for takes nothing of the other."""

    @initialize(
        calls=st.tuples(RATES, PERIODS, BURSTS),
        units=st.tuples(RATES, PERIODS, BURSTS),
    )
    def begin(self, calls: tuple[float, float, int], units: tuple[float, float, int]) -> None:
        self.allowance = JointBuckets(TokenBucket(*calls), TokenBucket(*units))
        self.units = Level(*units)
        self.calls = Level(*calls)


HISTORIES = settings(max_examples=60, stateful_step_count=40, deadline=None)
OneBucketMachine.TestCase.settings = HISTORIES
JointBucketsMachine.TestCase.settings = HISTORIES
TestOneBucket = OneBucketMachine.TestCase
TestJointBuckets = JointBucketsMachine.TestCase
