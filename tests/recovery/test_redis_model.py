"""The scripts under random histories, next to what they are the shared form of."""

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from stormproof.errors import CircuitOpen, NetworkError
from stormproof.recovery import (
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    FailureRate,
    GrowingBreak,
    LastCalls,
    RetryBudget,
    SlowCallRate,
)
from stormproof.recovery.circuits.circuit import Pass
from stormproof.recovery.limits.bucket import JointBuckets, TokenBucket
from stormproof.recovery.redis import RedisStore
from stormproof.recovery.sharing.operations import ChargePermits, RationPermits, TakePermits
from stormproof.recovery.sharing.shared_circuit import SharedCircuit, SharedPass
from stormproof.recovery.sharing.store import run
from stormproof.testing import FakeClock
from support.redis_server import PROGRAM, RedisServer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server on the PATH")

T = TypeVar("T")

CUT = NetworkError(reason="cut")
SERVER: list[RedisServer] = []

RULES = [
    ConsecutiveFailures(2),
    FailureRate(0.5, window=LastCalls(5), minimum_calls=3),
    FailureRate(0.5, window=10.0, minimum_calls=3),
    [SlowCallRate(2.0, window=LastCalls(4), minimum_calls=2), FailureRate(0.9, window=20.0)],
]


@pytest.fixture(scope="module", autouse=True)
def server(redis: RedisServer) -> None:
    """For the machines, which take no fixtures."""
    SERVER[:] = [redis]


class TimedStore(RedisStore):
    """Scripts take the time from the clock of the test and not from the server."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(SERVER[0].url, prefix=uuid4().hex, timeout=5.0)
        self._clock = clock

    def _time(self) -> float:
        return 1_000_000 + self._clock.now()


def outcome(enter: Callable[[], T]) -> T | CircuitOpen:
    try:
        return enter()
    except CircuitOpen as error:
        return error


class Timed(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(random=lambda: 0.5)
        self.clock.__enter__()
        self.store = TimedStore(self.clock)

    def teardown(self) -> None:
        assert self.store.reachable
        self.store.close()
        self.clock.__exit__(None, None, None)


class CircuitMachine(Timed):
    """Calls begin, end well, badly or not at all, and time passes: both see the same."""

    calls: Bundle[tuple[Pass, Pass | SharedPass]] = Bundle("calls")

    @initialize(
        rules=st.sampled_from(RULES),
        probes=st.integers(1, 3),
        successes=st.integers(1, 3),
        jitter=st.sampled_from([0.0, 0.5]),
    )
    def begin(self, rules: object, probes: int, successes: int, jitter: float) -> None:
        options = {
            "opens_on": rules,
            "open_for": GrowingBreak(8.0, factor=2.0, longest=20.0, jitter=jitter),
            "probes": probes,
            "successes_to_close": successes,
            "probe_lease": 16.0,
        }
        self.own = CircuitBreaker("model", **options)  # type: ignore[arg-type]
        one, other = (
            CircuitBreaker("model", store=self.store, **options)  # type: ignore[arg-type]
            for _ in range(2)
        )
        assert one._shared is not None
        assert other._shared is not None
        self.processes = (one._shared, other._shared)
        self.turns = 0

    @rule(target=calls)
    def call(self) -> tuple[Pass, Pass | SharedPass]:
        given = outcome(lambda: self.own.gate().enter(""))
        shared = outcome(lambda: run(self.store, self.process.enter("")))
        if isinstance(given, CircuitOpen):
            assert isinstance(shared, CircuitOpen)
            assert shared.retry_after == pytest.approx(given.retry_after, abs=1e-4)
            return Pass(-1, None), SharedPass(-1, "", 0.0)
        assert isinstance(shared, SharedPass)
        assert bool(shared.probe) is (given.probe is not None)
        return given, shared

    @property
    def process(self) -> SharedCircuit:
        self.turns += 1
        return self.processes[self.turns % 2]

    @rule(call=consumes(calls))
    def end_well(self, call: tuple[Pass, Pass | SharedPass]) -> None:
        self.own.gate().succeeded(call[0], "")
        run(self.store, self.process.succeeded(call[1], ""))

    @rule(call=consumes(calls))
    def end_badly(self, call: tuple[Pass, Pass | SharedPass]) -> None:
        self.own.gate().failed(call[0], CUT, "")
        run(self.store, self.process.failed(call[1], ""))

    @rule(call=consumes(calls))
    def end_without_outcome(self, call: tuple[Pass, Pass | SharedPass]) -> None:
        self.own.gate().failed(call[0], KeyboardInterrupt(), "")
        run(self.store, self.process.abandoned(call[1]))

    # The buckets of a window begin with the first call after a pause in memory, and with the
    # period in the script. With times of whole buckets that is the same.
    @rule(seconds=st.sampled_from([2, 4, 8, 16, 20]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(failures=st.lists(st.booleans(), max_size=4), took=st.sampled_from([0, 0, 2, 4]))
    def begin_and_end(self, failures: list[bool], took: int) -> None:
        for failed in failures:
            call = self.call()
            self.clock.advance(took)
            (self.end_badly if failed else self.end_well)(call)

    @rule()
    def wait_for_the_break(self) -> None:
        self.clock.advance(self.own.retry_after or 0)

    @rule(
        state=st.sampled_from([CircuitState.ISOLATED, CircuitState.CLOSED]),
        rarely=st.integers(0, 9),
    )
    def force(self, state: CircuitState, rarely: int) -> None:
        if rarely == 0:
            (self.own.isolate if state is CircuitState.ISOLATED else self.own.close)()
            self.process.force(state, "")


class LimitMachine(Timed):
    """Calls and what they cost are taken ahead, given back, charged and rationed.

    The model counts in fractions: a level that grows with time up to the burst, and falls below
    zero by what was taken ahead.
    """

    @initialize(
        permits=st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([2, 16])),
        period=st.sampled_from([1.0, 2.0, 64.0]),
    )
    def begin(self, permits: tuple[int, int], period: float) -> None:
        self.burst = [Fraction(one) for one in permits]
        self.level = list(self.burst)
        self.speed = [Fraction(one) / Fraction(period) for one in permits]
        buckets = [TokenBucket(one, period, one) for one in permits]
        self.rates = JointBuckets(*buckets).rates
        self.taken: list[int] = []

    @rule(
        cost=st.integers(0, 16),
        longest=st.sampled_from([0.0, 1.1, 30.1, 1000.1]),
        more=st.integers(0, 3),
    )
    def take(self, cost: int, longest: float, more: int) -> None:
        amounts = (1, cost)
        waits: list[Fraction] = [
            (amount - level) / speed
            for amount, level, speed in zip(amounts, self.level, self.speed, strict=True)
        ]
        expected = max(*waits, Fraction(0))
        take = TakePermits("model", self.rates, amounts, longest, (more, more))
        taken = self.store.ask(take)
        assert taken is not None
        assert taken.wait == pytest.approx(float(expected), abs=1e-5)
        if expected <= longest:
            self.change(-1, -cost)
            self.taken.append(cost)
            assert taken.more == all(level >= more for level in self.level)
        if taken.more:
            self.change(-more, -more)

    @rule()
    def give_back(self) -> None:
        if self.taken:
            cost = self.taken.pop()
            self.store.ask(ChargePermits("model", self.rates, (-1, -cost)))
            self.change(1, cost)

    @rule(extra=st.integers(-16, 40))
    def settle(self, extra: int) -> None:
        self.store.ask(ChargePermits("model", self.rates, (0, extra)))
        self.change(0, -extra)

    @rule(left=st.integers(0, 20), delay=st.sampled_from([0.0, 8.0]))
    def ration(self, left: int, delay: float) -> None:
        self.store.ask(RationPermits("model", self.rates, (float("inf"), left), delay))
        most = min(Fraction(left), self.burst[1]) - Fraction(delay) * self.speed[1]
        self.level[1] = min(self.level[1], most)

    @rule(seconds=st.sampled_from([0.25, 1.0, 7.5, 500.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.change(*(Fraction(seconds) * speed for speed in self.speed))

    def change(self, *amounts: Fraction | int) -> None:
        self.level = [
            min(level + amount, burst)
            for level, amount, burst in zip(self.level, amounts, self.burst, strict=True)
        ]


class BudgetMachine(Timed):
    """Two processes earn and spend what one does."""

    @initialize(ratio=st.floats(0, 2), floor=st.floats(0, 4), window=st.sampled_from([1.0, 64.0]))
    def begin(self, ratio: float, floor: float, window: float) -> None:
        self.own = RetryBudget(ratio, floor=floor, window=window)
        self.processes = [
            RetryBudget(ratio, floor=floor, window=window, name="model", store=self.store)
            for _ in range(2)
        ]

    @rule(process=st.integers(0, 1))
    def deposit(self, process: int) -> None:
        self.own.deposit()
        self.processes[process].deposit()
        assert self.processes[process].balance == pytest.approx(self.own.balance, abs=1e-3)

    @rule(process=st.integers(0, 1))
    def withdraw(self, process: int) -> None:
        nearly = abs(self.own.balance - 1) < 1e-3
        if not nearly:
            assert self.processes[process].withdraw() is self.own.withdraw()
            assert self.processes[process].balance == pytest.approx(self.own.balance, abs=1e-3)

    @rule(seconds=st.sampled_from([1.0, 7.5, 500.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


for machine in (CircuitMachine, LimitMachine, BudgetMachine):
    machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCircuit = CircuitMachine.TestCase
TestLimit = LimitMachine.TestCase
TestBudget = BudgetMachine.TestCase
