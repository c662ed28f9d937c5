"""The choice of targets under random histories, next to a model that is too plain to be wrong."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stormproof.errors import CircuitOpen, NetworkError, RateLimitExceeded, StormproofError
from stormproof.recovery import (
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    Failover,
    FailoverOrder,
    Pipeline,
    Target,
)
from stormproof.testing import FakeClock

NAMES = ("a", "b", "c", "d")
OPEN_FOR, LIMIT = 60, 2
# Seconds that a call takes, and the rest that it then asks for; None answers, 0 only fails.
OUTCOMES = st.tuples(st.sampled_from([0, 1, 2, 5]), st.sampled_from([None, 0, 10, 100]))


@dataclass
class PlainTarget:
    weight: int
    failures: int = 0
    opens_at: float | None = None
    rests_until: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def median(self) -> float:
        ordered = sorted(self.latencies)
        return ordered[(len(ordered) - 1) // 2] if ordered else 0.0

    def end(self, rest: int | None, began: float, now: float) -> None:
        if rest is None:
            self.failures, self.opens_at, self.rests_until = 0, None, 0.0
            self.latencies.append(now - began)
            return
        self.failures += 1
        if self.opens_at is not None or self.failures == LIMIT:
            self.failures, self.opens_at = 0, now + OPEN_FOR
        if rest:
            self.rests_until = now + rest


class FailoverMachine(RuleBasedStateMachine):
    """Calls are made, targets answer, fail or ask for a rest, and time passes."""

    @initialize(
        order=st.sampled_from(FailoverOrder),
        weights=st.lists(st.integers(0, 3), min_size=2, max_size=4),
        guarded=st.integers(0, 1),
    )
    def begin(self, order: FailoverOrder, weights: list[int], guarded: int) -> None:
        self.draw = 0.5
        self.clock = FakeClock(random=lambda: self.draw)
        self.clock.__enter__()
        self.order = order
        self.plain = {
            name: PlainTarget(weight) for name, weight in zip(NAMES, weights, strict=False)
        }
        self.asked: list[str] = []
        calls = {name: self.source(name) for name in self.plain}
        own = list(self.plain)[guarded]
        self.failover = Failover(
            *(
                Target(
                    name,
                    None if name == own else calls[name],
                    weight=plain.weight,
                    breaker=CircuitBreaker(
                        name, opens_on=ConsecutiveFailures(LIMIT), open_for=OPEN_FOR
                    ),
                )
                for name, plain in self.plain.items()
            ),
            order=order,
        )
        self.ask = Pipeline(self.failover)(calls[own])

    def source(self, name: str) -> Any:
        def call() -> str:
            self.asked.append(name)
            seconds, rest = self.outcomes[name]
            self.clock.advance(seconds)
            if rest is None:
                return name
            raise RateLimitExceeded(retry_after=rest) if rest else NetworkError(reason=name)

        return call

    @rule(
        outcomes=st.fixed_dictionaries(dict.fromkeys(NAMES, OUTCOMES)),
        draw=st.floats(0.02, 1, exclude_max=True),
    )
    def call(self, outcomes: dict[str, tuple[int, int | None]], draw: float) -> None:
        self.outcomes, self.draw = outcomes, draw
        expected, error = self.expect(self.clock.now())
        self.asked.clear()
        answers = bool(expected) and outcomes[expected[-1]][1] is None
        if answers:
            assert self.ask() == expected[-1]
        else:
            with pytest.raises(StormproofError) as raised:
                self.ask()
            assert (type(raised.value), raised.value.retry_after) == (error[0], error[1])
        assert self.asked == expected

    def expect(self, now: float) -> tuple[list[str], tuple[type[StormproofError], Any]]:
        """Return who is asked in turn, and with what error the call would then end."""
        left, asked = dict(self.plain), []
        errors: list[tuple[float, type[StormproofError], float | None]] = []
        while name := self.next_of(left, now):
            asked.append(name)
            seconds, rest = self.outcomes[name]
            began, now = now, now + seconds
            left.pop(name).end(rest, began, now)
            if rest is None:
                return asked, (StormproofError, None)
            kind = RateLimitExceeded if rest else NetworkError
            errors.append((rest, kind, rest or None))
        if asked:
            return asked, min(errors, key=lambda one: one[0])[1:]
        soonest = min(one.opens_at or 0.0 for one in left.values()) - now
        return [], (CircuitOpen, pytest.approx(soonest))

    def next_of(self, left: dict[str, PlainTarget], now: float) -> str | None:
        let_in = {
            name: one for name, one in left.items() if one.opens_at is None or now >= one.opens_at
        }
        healthy = [name for name, one in let_in.items() if now >= one.rests_until]
        if healthy:
            return self.pick(healthy)
        return min(let_in, key=lambda name: let_in[name].rests_until, default=None)

    def pick(self, healthy: list[str]) -> str:
        if self.order is FailoverOrder.FASTEST:
            healthy = [name for name in healthy if self.plain[name].weight] or healthy[:1]
            return min(healthy, key=lambda name: self.plain[name].median())
        if self.order is FailoverOrder.WEIGHTED:
            lots = [name for name in healthy for _ in range(self.plain[name].weight)]
            return lots[int(self.draw * len(lots))] if lots else healthy[0]
        return healthy[0]

    @rule(seconds=st.sampled_from([1, 9, OPEN_FOR, 200]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def health_agrees(self) -> None:
        now = self.clock.now()
        for health, plain in zip(self.failover.health(), self.plain.values(), strict=True):
            assert (health.state is CircuitState.CLOSED) is (plain.opens_at is None)
            wait = max((plain.opens_at or now) - now, plain.rests_until - now, 0)
            assert health.retry_after == pytest.approx(wait)
            assert (health.p50 or 0.0) == pytest.approx(plain.median())

    def teardown(self) -> None:
        if hasattr(self, "clock"):
            self.clock.__exit__(None, None, None)


FailoverMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFailover = FailoverMachine.TestCase
