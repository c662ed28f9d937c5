"""Places under random histories, next to a model that is too plain to be wrong."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from stormproof.recovery.limits.places import Places
from stormproof.recovery.limits.priority import Priority
from stormproof.recovery.limits.turns import Turn, TurnState
from stormproof.testing import FakeClock
from support.reentrancy import Scenario, at_every_point


class Caller(Turn):
    """Somebody in the queue, whose event loop may be gone."""

    def __init__(self, priority: Priority) -> None:
        super().__init__(priority, self)
        self.gone = False

    def ring(self) -> None:
        if self.gone:
            raise RuntimeError("Event loop is closed")


class PlacesMachine(RuleBasedStateMachine):
    """Callers come, wait, lose patience, vanish and leave, in any order; places come and go."""

    callers: Bundle[Caller] = Bundle("callers")

    @initialize(limit=st.integers(1, 3), queue=st.integers(0, 4))
    def begin(self, limit: int, queue: int) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.limit, self.queue = limit, queue
        self.places = Places(limit, queue)
        self.inside: list[Caller] = []
        self.line: list[Caller] = []
        self.shed: list[Caller] = []
        self.since = 0.0
        self.let_in = 0

    def let_in_the_first(self) -> None:
        while self.line and len(self.inside) < self.limit:
            most_important = max(caller.priority for caller in self.line)
            first = next(one for one in self.line if one.priority is most_important)
            self.line.remove(first)
            if not first.gone:
                self.inside.append(first)
                self.let_in += 1

    def shed_for(self, newcomer: Caller) -> bool:
        least_important = min((one.priority for one in self.line), default=newcomer.priority)
        if least_important >= newcomer.priority:
            return False
        last = [one for one in self.line if one.priority is least_important][-1]
        self.line.remove(last)
        if not last.gone:
            self.shed.append(last)
        return True

    @rule(target=callers, priority=st.sampled_from(Priority))
    def come(self, priority: Priority) -> Caller:
        caller = Caller(priority)
        free = len(self.inside) < self.limit
        assert self.places.enter() is free
        if free:
            caller.state = TurnState.ADMITTED
            self.inside.append(caller)
            return caller
        if not self.line:
            self.since, self.let_in = self.clock.now(), 0
        room = len(self.line) < self.queue or self.shed_for(caller)
        assert self.places.join(caller) is room
        if room:
            self.line.append(caller)
        return caller

    @rule(target=callers, spare=st.integers(0, 4))
    def come_and_spare_some(self, spare: int) -> Caller:
        """Those who leave places to others do not wait."""
        caller = Caller(Priority.LOW)
        free = self.limit - len(self.inside) > spare
        assert self.places.enter(spare) is free
        if free:
            caller.state = TurnState.ADMITTED
            self.inside.append(caller)
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
        if caller in self.line:
            self.line.remove(caller)
        assert self.places.withdraw(caller) is caller.state

    @rule(caller=callers)
    def vanish(self, caller: Caller) -> None:
        caller.gone = True

    @rule(limit=st.integers(1, 5))
    def resize(self, limit: int) -> None:
        self.limit = limit
        self.let_in_the_first()
        self.places.resize(limit)

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def agree(self) -> None:
        assert (self.places.taken, self.places.waiting) == (len(self.inside), len(self.line))
        assert all(caller.state is TurnState.ADMITTED for caller in self.inside)
        assert all(caller.state is TurnState.WAITING for caller in self.line)
        assert all(caller.state is TurnState.SHED for caller in self.shed)

    @invariant()
    def agree_on_the_pace(self) -> None:
        took = self.clock.now() - self.since
        drains_in = took / self.let_in * len(self.line) if self.let_in else None
        assert self.places.drains_in() == pytest.approx(drains_in)

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


PlacesMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestPlaces = PlacesMachine.TestCase


@pytest.mark.parametrize(
    ("outer", "limit"),
    [
        (lambda places, _turns: places.leave(), 2),
        (lambda places, _turns: places.resize(3), 3),
        (lambda places, _turns: places.join(Caller(Priority.NORMAL)), 2),
        (lambda places, turns: places.withdraw(turns[0]), 2),
    ],
    ids=["one leaves", "there is one more", "one joins", "one withdraws"],
)
def test_a_place_that_a_finalizer_gives_back_is_taken_once(
    outer: Callable[[Places, list[Turn]], object], limit: int
) -> None:
    """The garbage collector closes a coroutine that has a place, in the middle of anything."""

    def prepare() -> Scenario:
        places = Places(2, 10)
        places.enter()
        places.enter()
        turns: list[Turn] = [Caller(Priority.NORMAL) for _ in range(4)]
        for turn in turns:
            places.join(turn)
        return Scenario(lambda: outer(places, turns), places.leave, lambda: _check(places, limit))

    at_every_point(prepare)


def _check(places: Places, limit: int) -> None:
    assert places.taken == places.limit == limit
    while places.waiting:
        places.leave()
        assert places.taken == limit
