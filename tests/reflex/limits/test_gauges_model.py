"""Gauges under random histories, next to fractions; those in Redis next to those in the process."""

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule
from msgspec import Struct

from stormproof.recovery.redis import RedisStore
from stormproof.reflex import Gauges, LimitSettings, LocalGauges, Scope, SharedGauges, Subject
from stormproof.reflex.limits.applying import Applying
from stormproof.reflex.limits.gauges import Seat, Standing, Taken
from stormproof.reflex.limits.headers import told
from stormproof.testing import FakeClock
from support.redis_server import PROGRAM, RedisServer

SUBJECTS = [Subject(Scope.USER, "t", name) for name in "abc"]
LIMITS = {
    SUBJECTS[0]: LimitSettings(requests_per_minute=4, tokens_per_minute=64),
    SUBJECTS[1]: LimitSettings(tokens_per_minute=32, concurrency=2),
    SUBJECTS[2]: LimitSettings(requests_per_minute=8, concurrency=3),
}
SERVER: list[RedisServer] = []

Begun = tuple[Seat | None, Sequence[Subject]]


@pytest.fixture(scope="module", autouse=True)
def server(redis: RedisServer) -> None:
    """For the machines, which take no fixtures."""
    SERVER[:] = [redis]


class TimedStore(RedisStore):
    """Scripts take the time from the clock of the test, in numbers that are exact in binary."""

    clock: FakeClock
    began: float

    def _time(self) -> float:
        return 1_000_000 + round(self.clock.now() - self.began, 6)


class Level:
    """What one has left."""

    def __init__(self, limits: LimitSettings) -> None:
        self.most = [limits.requests_per_minute, limits.tokens_per_minute]
        self.left = [Fraction(most or 0) for most in self.most]
        self.places = limits.concurrency
        self.taken = 0

    def fits(self, tokens: int) -> bool:
        amounts = zip(self.left, self.most, (1, tokens), strict=True)
        enough = all(most is None or left >= amount for left, most, amount in amounts)
        return enough and (self.places is None or self.taken < self.places)

    def change(self, requests: Fraction, tokens: Fraction) -> None:
        self.left = [
            min(left + more, Fraction(most or 0))
            for left, more, most in zip(self.left, (requests, tokens), self.most, strict=True)
        ]

    def pass_time(self, seconds: Fraction) -> None:
        self.change(*(seconds * (most or 0) / 60 for most in self.most))


class GaugesMachine(RuleBasedStateMachine):
    """Calls are let in as long as all limits have room, and what they take comes back."""

    begun: Bundle[Begun] = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = FakeClock()
        self.clock.__enter__()
        self.levels = {subject: Level(limits) for subject, limits in LIMITS.items()}
        self.gauges: Gauges = self.made()

    def made(self) -> Gauges:
        return LocalGauges()

    def teardown(self) -> None:
        self.loop.close()
        self.clock.__exit__(None, None, None)

    @rule(
        target=begun,
        subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True),
        tokens=st.sampled_from([0, 1, 8, 32, 65]),
    )
    def begin(self, subjects: Sequence[Subject], tokens: int) -> Any:
        fits = all(self.levels[subject].fits(tokens) for subject in subjects)
        limited = [(subject, LIMITS[subject]) for subject in subjects]
        outcome = self.loop.run(self.taken(Applying(limited, told(limited), ()), tokens))
        if isinstance(outcome, Standing):
            assert not fits
            return None, ()
        assert fits
        for subject in subjects:
            self.levels[subject].taken += 1
            self.levels[subject].change(Fraction(-1), Fraction(-tokens))
        return outcome, subjects

    async def taken(self, applying: Applying, tokens: int) -> Taken:
        taken = self.gauges.take(applying, tokens)
        return taken if isinstance(taken, Struct) else await taken

    @rule(call=consumes(begun), extra=st.sampled_from([-65, -8, 0, 1, 40]))
    def end(self, call: Begun, extra: int) -> None:
        seat, subjects = call
        if seat:
            self.loop.run(self.leave(seat, extra))
        for subject in subjects:
            self.levels[subject].taken -= 1
            most = self.levels[subject].most[1] or 0
            self.levels[subject].change(Fraction(0), Fraction(-min(extra, most)))

    async def leave(self, seat: Seat, extra: int) -> None:
        seat.leave(extra)

    # Binary fractions of a minute: levels are told exactly. A little more, since rounding is not.
    @rule(seconds=st.sampled_from([3.75, 7.5, 15.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for level in self.levels.values():
            level.pass_time(Fraction(seconds))


class SharedGaugesMachine(GaugesMachine):
    """The same, in Redis."""

    def made(self) -> Gauges:
        self.store = TimedStore(SERVER[0].url, prefix=uuid4().hex, timeout=5.0)
        self.store.clock, self.store.began = self.clock, self.clock.now()
        return SharedGauges(self.store, longest=1_000_000.0)

    def teardown(self) -> None:
        assert self.store.reachable
        self.loop.run(self.store.aclose())
        super().teardown()

    async def leave(self, seat: Seat, extra: int) -> None:
        seat.leave(extra)
        await self.store.aclose()


GaugesMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
SharedGaugesMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None
)
TestGauges = GaugesMachine.TestCase
TestSharedGauges = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")(
    SharedGaugesMachine.TestCase
)
