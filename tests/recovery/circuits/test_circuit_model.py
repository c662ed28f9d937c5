"""The breaker under random histories, next to a model that is too plain to be wrong."""

import math
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from stormproof.errors import CircuitOpen, NetworkError
from stormproof.recovery import (
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    FailureRate,
    GrowingBreak,
    LastCalls,
    SlowCallRate,
)
from stormproof.recovery.circuits.circuit import Pass
from stormproof.recovery.circuits.opening_rules import OpeningRule
from stormproof.testing import FakeClock

LEASE, CHANCE = 120, 0.5
FOREVER = 86_400  # longer than any of the histories

RATES = st.sampled_from([0.3, 0.5, 1.0])
WINDOWS = st.one_of(st.just(FOREVER), st.builds(LastCalls, st.integers(3, 6)))
RULES: st.SearchStrategy[OpeningRule] = st.one_of(
    st.builds(ConsecutiveFailures, st.integers(1, 3)),
    st.builds(FailureRate, RATES, WINDOWS, st.integers(1, 3)),
    st.builds(SlowCallRate, st.sampled_from([1, 30]), RATES, WINDOWS, st.integers(1, 3)),
)
BREAKS = st.one_of(
    st.builds(GrowingBreak.always, st.just(60)),
    st.builds(GrowingBreak, st.just(20), st.sampled_from([1, 2, 3]), st.just(150)),
)


class Out(NamedTuple):
    """A call that is out: its pass, and what the model knows of it."""

    given: Pass
    period: int
    began: float


class Ended(NamedTuple):
    """How a call of the present closed period ended."""

    failed: bool
    took: float


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin, answer, end well, badly or not at all, and time passes, in any order."""

    calls: Bundle[Out] = Bundle("calls")

    @initialize(
        opens_on=st.lists(RULES, min_size=1, max_size=3),
        lasts=BREAKS,
        probes=st.integers(1, 3),
        successes=st.integers(1, 4),
    )
    def begin(
        self, opens_on: list[OpeningRule], lasts: GrowingBreak, probes: int, successes: int
    ) -> None:
        self.clock = FakeClock(random=lambda: CHANCE)
        self.clock.__enter__()
        self.opens_on, self.lasts, self.probes, self.successes = opens_on, lasts, probes, successes
        self.breaker = CircuitBreaker(
            "model",
            opens_on=opens_on,
            open_for=lasts,
            probes=probes,
            successes_to_close=successes,
            probe_lease=LEASE,
        )
        self.enter, self.succeeded, self.failed, self.answered = self.breaker.gate()
        self.period = self.breaks = 0
        self.move(CircuitState.CLOSED)

    def move(self, state: CircuitState) -> None:
        self.state = state
        self.period += 1
        self.seen: list[Ended] = []
        self.good = 0
        self.out: dict[int, float] = {}
        if state is CircuitState.OPEN:
            nominal = min(self.lasts.first * self.lasts.factor**self.breaks, self.lasts.longest)
            self.opens_at = self.clock.now() + nominal * (1 - self.lasts.jitter * CHANCE)
            self.breaks += 1
        elif state is not CircuitState.HALF_OPEN:
            self.breaks = 0

    @rule(target=calls)
    def call(self) -> Out | MultipleResults[Out]:
        now = self.clock.now()
        if self.state is CircuitState.OPEN and now >= self.opens_at:
            self.move(CircuitState.HALF_OPEN)
        self.out = {ticket: end for ticket, end in self.out.items() if end > now}
        probing = self.state is CircuitState.HALF_OPEN
        full = probing and len(self.out) >= self.probes
        if self.state in {CircuitState.OPEN, CircuitState.ISOLATED} or full:
            with pytest.raises(CircuitOpen) as raised:
                self.enter("")
            self.check_wait(raised.value.retry_after, now)
            return multiple()
        given = self.enter("")
        assert (given.probe is not None) is probing
        if given.probe is not None:
            self.out[given.probe] = now + LEASE
        return Out(given, self.period, now)

    def check_wait(self, wait: float | None, now: float) -> None:
        free = {
            CircuitState.OPEN: getattr(self, "opens_at", None),
            CircuitState.HALF_OPEN: min(self.out.values(), default=math.nan),
        }.get(self.state)
        assert wait == (None if free is None else pytest.approx(free - now))

    @rule(target=calls, call=consumes(calls))
    def answer(self, call: Out) -> Out:
        """The call is a stream, and this is its first item."""
        given = self.answered(call.given)
        slow = self.slow(self.clock.now() - call.began)
        return Out(given, call.period, call.began if slow else math.inf)

    def slow(self, took: float) -> bool:
        rules = (one for one in self.opens_on if isinstance(one, SlowCallRate))
        return any(took > one.slower_than for one in rules)

    @rule(call=consumes(calls))
    def end_well(self, call: Out) -> None:
        self.succeeded(call.given, "")
        if call.period == self.period:
            self.end(call, failed=False)

    @rule(call=consumes(calls))
    def end_badly(self, call: Out) -> None:
        self.failed(call.given, NetworkError(reason="cut"), "")
        if call.period == self.period:
            self.end(call, failed=True)

    def end(self, call: Out, *, failed: bool) -> None:
        took = self.clock.now() - call.began
        if call.given.probe is None:
            self.seen.append(Ended(failed, took))
            if any(map(self.meets, self.opens_on)):
                self.move(CircuitState.OPEN)
        elif failed or self.slow(took):
            self.move(CircuitState.OPEN)
        else:
            self.out.pop(call.given.probe, None)
            self.good += 1
            if self.good == self.successes:
                self.move(CircuitState.CLOSED)

    def meets(self, one: OpeningRule) -> bool:
        """Whether the last call is the one too many for a rule."""
        if isinstance(one, ConsecutiveFailures):
            row = self.seen[-one.limit :]
            return len(row) == one.limit and all(ended.failed for ended in row)
        assert isinstance(one, FailureRate | SlowCallRate)
        within = one.window.calls if isinstance(one.window, LastCalls) else FOREVER
        marks = [
            ended.failed if isinstance(one, FailureRate) else ended.took > one.slower_than
            for ended in self.seen[-within:]
        ]
        enough = len(marks) >= one.minimum_calls
        return enough and marks[-1] and sum(marks) / len(marks) >= one.rate

    @rule(call=consumes(calls))
    def end_without_outcome(self, call: Out) -> None:
        self.failed(call.given, KeyboardInterrupt(), "")
        if call.period == self.period and call.given.probe is not None:
            self.out.pop(call.given.probe, None)

    @rule(
        ends=st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1, 2, 31])), max_size=12),
        streams=st.booleans(),
    )
    def traffic(self, ends: list[tuple[bool, int]], streams: bool) -> None:
        """One call after the other; one that is turned away comes back when it was told to."""
        for failed, took in ends:
            out = self.call()
            if not isinstance(out, Out):
                self.clock.advance(self.breaker.retry_after or 0)
                continue
            out = self.answer(out) if streams else out
            self.clock.advance(took)
            (self.end_badly if failed else self.end_well)(out)

    @rule(seconds=st.sampled_from([1, 2, 20, 59, 60, LEASE, 1000]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(state=st.sampled_from([CircuitState.ISOLATED, CircuitState.CLOSED]))
    def force(self, state: CircuitState) -> None:
        (self.breaker.close if state is CircuitState.CLOSED else self.breaker.isolate)()
        self.move(state)

    @invariant()
    def agree(self) -> None:
        assert self.breaker.state is self.state

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreaker = BreakerMachine.TestCase
