"""The breaker under random histories, next to a model that is too plain to be wrong."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from stormproof.errors import CircuitOpen, NetworkError
from stormproof.recovery import CircuitBreaker, CircuitState, ConsecutiveFailures
from stormproof.recovery.circuit import Pass
from stormproof.testing import FakeClock

OPEN_FOR, LEASE = 60, 120


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin, end well, badly or not at all, and time passes, in any order."""

    calls: Bundle[tuple[Pass, int]] = Bundle("calls")

    @initialize(limit=st.integers(1, 3), probes=st.integers(1, 3), successes=st.integers(1, 4))
    def begin(self, limit: int, probes: int, successes: int) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.limit, self.probes, self.successes = limit, probes, successes
        breaker = CircuitBreaker(
            "model",
            opens_on=ConsecutiveFailures(limit),
            open_for=OPEN_FOR,
            probes=probes,
            successes_to_close=successes,
            probe_lease=LEASE,
        )
        self.breaker = breaker
        self.enter, self.succeeded, self.failed, _ = breaker.gate()
        self.period = 0
        self.move(CircuitState.CLOSED)

    def move(self, state: CircuitState) -> None:
        self.state = state
        self.period += 1
        self.row = self.good = 0
        self.since = self.clock.now()
        self.out: dict[int, float] = {}

    @rule(target=calls)
    def call(self) -> tuple[Pass, int]:
        now = self.clock.now()
        if self.state is CircuitState.OPEN and now >= self.since + OPEN_FOR:
            self.move(CircuitState.HALF_OPEN)
        self.out = {ticket: end for ticket, end in self.out.items() if end > now}
        probing = self.state is CircuitState.HALF_OPEN
        full = probing and len(self.out) >= self.probes
        if self.state in {CircuitState.OPEN, CircuitState.ISOLATED} or full:
            with pytest.raises(CircuitOpen) as raised:
                self.enter("")
            self.check_wait(raised.value.retry_after, now)
            return Pass(-1, None), -1
        given = self.enter("")
        assert (given.probe is not None) is probing
        if given.probe is not None:
            self.out[given.probe] = now + LEASE
        return given, self.period

    def check_wait(self, wait: float | None, now: float) -> None:
        free = {
            CircuitState.OPEN: self.since + OPEN_FOR,
            CircuitState.HALF_OPEN: min(self.out.values(), default=math.nan),
        }.get(self.state)
        assert wait == (None if free is None else pytest.approx(free - now))

    @rule(call=consumes(calls))
    def end_well(self, call: tuple[Pass, int]) -> None:
        given, period = call
        self.succeeded(given, "")
        if period != self.period:
            return
        self.row = 0
        if given.probe is not None:
            self.out.pop(given.probe, None)
            self.good += 1
            if self.good == self.successes:
                self.move(CircuitState.CLOSED)

    @rule(call=consumes(calls))
    def end_badly(self, call: tuple[Pass, int]) -> None:
        given, period = call
        self.failed(given, NetworkError(reason="cut"), "")
        if period != self.period:
            return
        self.row += 1
        if given.probe is not None or self.row == self.limit:
            self.move(CircuitState.OPEN)

    @rule(call=consumes(calls))
    def end_without_outcome(self, call: tuple[Pass, int]) -> None:
        given, period = call
        self.failed(given, KeyboardInterrupt(), "")
        if period == self.period and given.probe is not None:
            self.out.pop(given.probe, None)

    @rule(seconds=st.sampled_from([1, OPEN_FOR - 1, OPEN_FOR, LEASE, 1000]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def isolate(self) -> None:
        self.breaker.isolate()
        self.move(CircuitState.ISOLATED)

    @rule()
    def close(self) -> None:
        self.breaker.close()
        self.move(CircuitState.CLOSED)

    @invariant()
    def agree(self) -> None:
        assert self.breaker.state is self.state

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreaker = BreakerMachine.TestCase
