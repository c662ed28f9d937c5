"""Places under random histories, next to a model that is too plain to be wrong."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from stormproof.recovery.places import Places
from stormproof.testing import FakeClock


class Caller:
    """Somebody in the queue, whose event loop may be gone."""

    def __init__(self) -> None:
        self.admitted = False
        self.gone = False

    def admit(self) -> None:
        if self.gone:
            raise RuntimeError("Event loop is closed")
        self.admitted = True


class PlacesMachine(RuleBasedStateMachine):
    """Callers come, wait, lose patience, vanish and leave, in any order."""

    callers: Bundle[Caller] = Bundle("callers")

    @initialize(limit=st.integers(1, 3), queue=st.integers(0, 4))
    def begin(self, limit: int, queue: int) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.limit, self.queue = limit, queue
        self.places = Places(limit, queue)
        self.inside: list[Caller] = []
        self.line: list[Caller] = []
        self.since = 0.0
        self.let_in = 0

    def let_in_the_first(self) -> None:
        while self.line and len(self.inside) < self.limit:
            first = self.line.pop(0)
            if not first.gone:
                self.inside.append(first)
                self.let_in += 1

    @rule(target=callers)
    def come(self) -> Caller:
        caller = Caller()
        free = len(self.inside) < self.limit
        assert self.places.enter() is free
        if free:
            caller.admitted = True
            self.inside.append(caller)
            return caller
        if not self.line:
            self.since, self.let_in = self.clock.now(), 0
        room = len(self.line) < self.queue
        assert self.places.join(caller) is room
        if room:
            self.line.append(caller)
        return caller

    @rule(caller=callers)
    def leave(self, caller: Caller) -> None:
        if caller not in self.inside:
            return
        self.inside.remove(caller)
        self.let_in_the_first()
        self.places.leave()

    @rule(caller=callers)
    def lose_patience(self, caller: Caller) -> None:
        if caller not in self.line:
            return
        self.line.remove(caller)
        assert self.places.withdraw(caller) is False

    @rule(caller=callers)
    def vanish(self, caller: Caller) -> None:
        caller.gone = True

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def agree(self) -> None:
        assert (self.places.taken, self.places.waiting) == (len(self.inside), len(self.line))
        assert all(caller.admitted for caller in self.inside)
        assert not any(caller.admitted for caller in self.line)

    @invariant()
    def agree_on_the_pace(self) -> None:
        took = self.clock.now() - self.since
        drains_in = took / self.let_in * len(self.line) if self.let_in else None
        assert self.places.drains_in() == pytest.approx(drains_in)

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


PlacesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPlaces = PlacesMachine.TestCase
