"""The bucket under random histories, next to one that counts its permits."""

from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from stormproof.recovery.bucket import TokenBucket
from stormproof.testing import FakeClock

TICK = 0.25  # exact in binary: the model and the bucket see the same times


class BucketMachine(RuleBasedStateMachine):
    """Permits are taken, ahead of time too, and given back, while time passes.

    The model counts in fractions: a level that grows with time up to the burst, and falls below
    zero by what was taken ahead.
    """

    @initialize(
        permits=st.sampled_from([1, 2, 4, 8]),
        period=st.sampled_from([1.0, 2.0, 60.0]),
        burst=st.integers(1, 5),
    )
    def begin(self, permits: int, period: float, burst: int) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.bucket = TokenBucket(permits, period, burst)
        self.rate = Fraction(permits) / Fraction(period)
        self.burst = burst
        self.level = Fraction(burst)
        self.ahead: list[Fraction] = []

    @rule(longest=st.sampled_from([0.0, 1.1, 30.1, 1000.1]))  # none is a possible wait but 0
    def take(self, longest: float) -> None:
        expected = max((1 - self.level) / self.rate, Fraction(0))
        assert self.bucket.take(longest) == pytest.approx(float(expected), abs=1e-6)
        if expected <= longest:
            self.level -= 1
            self.ahead.append(expected)

    @rule(seconds=st.sampled_from([TICK, 1.0, 7.5, 500.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.level = min(self.level + Fraction(seconds) * self.rate, Fraction(self.burst))
        later = [wait - Fraction(seconds) for wait in self.ahead]
        self.ahead = [wait for wait in later if wait > 0]

    @rule()
    def give_back(self) -> None:
        if self.ahead:
            self.ahead.pop()
            self.level += 1
            self.bucket.give_back()

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


BucketMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBucket = BucketMachine.TestCase
