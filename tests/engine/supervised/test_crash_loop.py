"""Deaths in a row are followed by ever longer pauses, and in the end by no hope."""

from stormproof.engine.supervised.crash_loop import CrashLoop
from stormproof.recovery import GrowingBreak

WAITS = GrowingBreak(first=1, factor=2, longest=4, jitter=0)


def test_pauses_grow_up_to_a_bound() -> None:
    loop = CrashLoop(WAITS)
    assert [loop.died(steps=0, seconds=0) for _ in range(5)] == [0, 1, 2, 4, 4]


def test_a_life_that_was_worth_it_begins_anew() -> None:
    loop = CrashLoop(WAITS)
    for _ in range(5):
        loop.died(steps=0, seconds=0)
    assert loop.died(steps=100, seconds=60) == 0
    assert not loop.hopeless


def test_six_lives_without_a_step_are_hopeless_until_one_makes_a_step() -> None:
    loop = CrashLoop(WAITS)
    for number in range(6):
        assert not loop.hopeless, number
        loop.died(steps=0, seconds=0)
    assert loop.hopeless
    loop.died(steps=1, seconds=0)
    assert not loop.hopeless


def test_an_engine_that_was_killed_while_nobody_asked_for_anything_is_not_to_blame() -> None:
    """A quiet server may lose its process every night."""
    loop = CrashLoop(WAITS)
    assert [loop.died(steps=0, seconds=9000, idle=True) for _ in range(10)] == [0] * 10
    assert not loop.hopeless
    for _ in range(6):
        loop.died(steps=0, seconds=0, idle=True)
    assert loop.hopeless


def test_deaths_for_which_somebody_was_convicted_are_not_the_engines_fault() -> None:
    """Poisoned requests that come together kill one process after another before any step."""
    loop = CrashLoop(WAITS)
    for _ in range(5):
        loop.died(steps=0, seconds=0)
        assert loop.died(steps=0, seconds=0, convicted=True) == 0
    assert not loop.hopeless


def test_where_not_one_step_succeeds_so_many_convictions_speak_against_the_engine() -> None:
    loop = CrashLoop(WAITS)
    for _ in range(15):
        loop.died(steps=0, seconds=0, convicted=True)
    assert not loop.hopeless
    loop.died(steps=1, seconds=0)
    for _ in range(16):
        assert not loop.hopeless
        loop.died(steps=0, seconds=0, convicted=True)
    assert loop.hopeless
