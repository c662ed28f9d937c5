"""A line in front of buckets: next to a model, and at its edges."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stormproof.recovery.limits.bucket import JointBuckets, TokenBucket
from stormproof.recovery.limits.turnstile import Place, Turnstile
from stormproof.testing import FakeClock
from support.reentrancy import Scenario, at_every_point

FOREVER = 1e9
COSTS = st.sampled_from([0.0, 0.25, 1.0, 2.0, 4.0])


class Flag:
    """A bell that remembers."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.rung = False
        self._deaf = deaf

    def ring(self) -> None:
        if self._deaf:
            raise RuntimeError("Event loop is closed")
        self.rung = True


class Waiter:
    """Who stands in line, and does what a thread or a task does there."""

    def __init__(self, turnstile: Turnstile, cost: float, longest: float = FOREVER) -> None:
        self.place = Place(cost, longest)
        self.bell = Flag()
        self.wait = 0.0
        self._turnstile = turnstile

    def look(self, now: float) -> bool:
        """Look, and return whether the wait goes on."""
        self.bell = Flag()
        self.wait = self._turnstile.look(self.place, self.bell)
        self.look_at = now + self.wait
        return self.wait > 0


class TurnstileMachine(RuleBasedStateMachine):
    """Calls are let in in their order, each at the first moment when it can be.

    The model keeps levels in fractions and a list. A wake-up that is missed, a look that is too
    late, or a call that slips in would let somebody in at another time than the model does.
    """

    @initialize(
        calls=st.tuples(st.sampled_from([0.5, 2.0]), st.integers(1, 3)),
        units=st.tuples(st.sampled_from([0.5, 1.0, 4.0]), st.integers(4, 6)),
    )
    def begin(self, calls: tuple[float, int], units: tuple[float, int]) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.began = self.clock.now()
        self.turnstile = Turnstile(
            JointBuckets(TokenBucket(calls[0], 1.0, calls[1]), TokenBucket(units[0], 1.0, units[1]))
        )
        self.waiters: list[Waiter] = []
        self.admitted: list[tuple[Waiter, float]] = []
        self.rates = [Fraction(calls[0]), Fraction(units[0])]
        self.bursts = [Fraction(calls[1]), Fraction(units[1])]
        self.levels = list(self.bursts)
        self.now = Fraction(0)
        self.line: list[Waiter] = []
        self.expected: list[tuple[Waiter, float]] = []

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)

    # What the turnstile does, with waiters that look when they are told to.

    def time(self) -> float:
        return self.clock.now() - self.began

    def let_them_look(self) -> None:
        while rung := [one for one in self.waiters if one.bell.rung]:
            self.look(rung[0])

    def look(self, waiter: Waiter) -> None:
        if not waiter.look(self.time()):
            self.waiters.remove(waiter)
            assert waiter.place.admitted
            self.admitted.append((waiter, self.time()))

    # What the model does.

    def add(self, index: int, amount: Fraction) -> None:
        self.levels[index] = min(self.levels[index] + amount, self.bursts[index])

    def first_is_due_in(self) -> Fraction:
        missing = (1 - self.levels[0], Fraction(self.line[0].place.cost) - self.levels[1])
        waits = [short / rate for short, rate in zip(missing, self.rates, strict=True)]
        return max(*waits, Fraction(0))

    def model_passes(self, seconds: Fraction) -> None:
        while self.line and self.first_is_due_in() <= seconds:
            due = self.first_is_due_in()
            seconds -= due
            self.model_idles(due)
            waiter = self.line.pop(0)
            self.levels[0] -= 1
            self.levels[1] -= Fraction(waiter.place.cost)
            self.expected.append((waiter, float(self.now)))
        self.model_idles(seconds)

    def model_idles(self, seconds: Fraction) -> None:
        self.now += seconds
        for index, rate in enumerate(self.rates):
            self.add(index, seconds * rate)

    # What happens.

    @rule(cost=COSTS)
    def come(self, cost: float) -> None:
        waiter = Waiter(self.turnstile, cost)
        self.line.append(waiter)
        self.model_passes(Fraction(0))
        if self.turnstile.enter(cost):
            self.admitted.append((waiter, self.time()))
            return
        self.turnstile.join(waiter.place)
        self.waiters.append(waiter)
        self.look(waiter)
        self.let_them_look()

    @rule(seconds=st.sampled_from([0.25, 1.0, 3.5, 32.0]))
    def pass_time(self, seconds: float) -> None:
        self.model_passes(Fraction(seconds))
        until = self.clock.now() + seconds
        while self.waiters:
            soonest = min(self.waiters, key=lambda one: one.look_at)
            if self.began + soonest.look_at > until + 1e-9:
                break
            self.clock.advance(max(self.began + soonest.look_at - self.clock.now(), 0.0))
            self.look(soonest)
            self.let_them_look()
        self.clock.advance(max(until - self.clock.now(), 0.0))

    @rule(extra=st.sampled_from([-4.0, -0.25, 0.5, 5.0]))
    def settle(self, extra: float) -> None:
        self.add(1, Fraction(-extra))
        self.model_passes(Fraction(0))
        self.turnstile.charge(extra)
        self.let_them_look()

    @rule(left=st.sampled_from([0.0, 1.0]), delay=st.sampled_from([0.0, 2.0]))
    def ration(self, left: float, delay: float) -> None:
        self.levels[0] = min(self.levels[0], Fraction(left) - Fraction(delay) * self.rates[0])
        self.turnstile.ration(None, calls=left, delay=delay)
        self.let_them_look()

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.waiters))
        self.line.remove(waiter)
        self.model_passes(Fraction(0))
        self.waiters.remove(waiter)
        self.turnstile.leave(waiter.place)
        self.let_them_look()

    @invariant()
    def the_same_are_let_in_at_the_same_times(self) -> None:
        if hasattr(self, "admitted"):
            assert [one for one, _ in self.admitted] == [one for one, _ in self.expected]
            times = [time for _, time in self.admitted]
            assert times == pytest.approx([time for _, time in self.expected], abs=1e-5)
            assert self.turnstile.waiting == len(self.line)


TurnstileMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
TestTurnstile = TurnstileMachine.TestCase


@pytest.fixture
def turnstile(clock: FakeClock) -> Turnstile:
    """One permit a second, eight at most, and none left."""
    turnstile = Turnstile(TokenBucket(1, 1.0, 8))
    assert turnstile.enter(8)
    return turnstile


def joined(turnstile: Turnstile, cost: float, longest: float = FOREVER) -> Waiter:
    waiter = Waiter(turnstile, cost, longest)
    assert turnstile.join(waiter.place) <= longest
    waiter.look(0)
    return waiter


def test_who_would_wait_too_long_does_not_stand_in_line(turnstile: Turnstile) -> None:
    assert turnstile.join(Place(3, longest=2)) == pytest.approx(3)
    assert turnstile.waiting == 0


def test_the_foreseen_wait_counts_all_who_stand_there(turnstile: Turnstile) -> None:
    two, three = joined(turnstile, 2), joined(turnstile, 3)
    assert turnstile.foresee(1) == pytest.approx(6)
    turnstile.leave(two.place)
    assert turnstile.foresee(1) == pytest.approx(4)
    turnstile.leave(three.place)
    assert turnstile.foresee(1) == pytest.approx(1)


def test_who_is_first_and_learns_that_its_time_does_not_suffice_leaves_at_once(
    turnstile: Turnstile,
) -> None:
    """So that a fallback has the time to answer; the next one takes its place."""
    hurried, patient = joined(turnstile, 1, longest=5), joined(turnstile, 1)
    turnstile.ration(0, delay=30)
    assert hurried.bell.rung
    assert not hurried.look(0)
    assert not hurried.place.admitted
    assert patient.bell.rung
    assert patient.look(0)
    assert patient.wait == pytest.approx(31)


def test_nobody_waits_longer_than_it_may_though_it_is_not_first(
    clock: FakeClock, turnstile: Turnstile
) -> None:
    """What was foreseen came otherwise: somebody before it turned out to cost more."""
    first, second = joined(turnstile, 1), joined(turnstile, 1, longest=3)
    turnstile.charge(100)
    first.look(0)
    clock.advance(3.5)
    assert not second.look(0)
    assert not second.place.admitted
    assert turnstile.waiting == 1


def test_who_leaves_after_being_let_in_gives_back_what_it_took(
    clock: FakeClock, turnstile: Turnstile
) -> None:
    """A task that is woken and cancelled in the same moment."""
    waiter = joined(turnstile, 5)
    clock.advance(5)
    turnstile.charge(0)  # whoever comes by lets it in
    assert waiter.place.admitted
    turnstile.leave(waiter.place)
    assert turnstile.enter(5)


def test_a_task_whose_event_loop_is_gone_holds_nobody_up(
    clock: FakeClock, turnstile: Turnstile
) -> None:
    gone, behind = joined(turnstile, 2), joined(turnstile, 2)
    gone.place.bell = Flag(deaf=True)
    clock.advance(2)
    assert not behind.look(0)
    assert behind.place.admitted


def test_a_first_one_that_is_held_up_holds_nobody_up(
    clock: FakeClock, turnstile: Turnstile
) -> None:
    """Its event loop is busy: the next one looks by itself, and lets both in."""
    first, second = joined(turnstile, 1), joined(turnstile, 1)
    assert second.wait == pytest.approx(2)
    clock.advance(2)
    assert not second.look(0)
    assert first.place.admitted


@pytest.mark.parametrize(
    "outer",
    [
        lambda _turnstile, waiters: waiters[0].look(0),
        lambda _turnstile, waiters: waiters[1].look(0),
        lambda turnstile, _waiters: turnstile.join(Place(1, FOREVER)),
        lambda turnstile, _waiters: turnstile.enter(1),
        lambda turnstile, _waiters: turnstile.charge(0),
    ],
    ids=["the first looks", "the second looks", "one joins", "one enters", "one is charged"],
)
def test_what_a_finalizer_gives_back_goes_to_one_whenever_it_comes(
    clock: FakeClock, outer: Callable[[Turnstile, list[Waiter]], object]
) -> None:
    """The garbage collector closes a coroutine that was let in, in the middle of anything."""

    def prepare() -> Scenario:
        turnstile = Turnstile(TokenBucket(1, 1.0, 1))
        lost = joined(turnstile, 1)
        waiters = [joined(turnstile, 1) for _ in range(3)]

        def check() -> None:
            assert [waiter.place.admitted for waiter in waiters] == [True, False, False]
            assert turnstile.foresee(0) == pytest.approx(turnstile.waiting)

        return Scenario(
            lambda: outer(turnstile, waiters), lambda: turnstile.leave(lost.place), check
        )

    at_every_point(prepare)
