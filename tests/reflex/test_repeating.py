"""Work beside requests goes on whatever happens, and what happens is told once."""

from threading import Event as Flag

from stormproof.errors import DatabaseError
from stormproof.recovery import Event, subscribe
from stormproof.reflex.events import StoreFailed, StoreRecovered
from stormproof.reflex.repeating import Repeating


def test_a_failure_is_told_when_it_begins_and_when_it_is_over() -> None:
    """Not at every turn: there are thousands in an hour."""
    failing, heard = [True, True, False, False, True], list[Event]()

    def work() -> None:
        if failing.pop(0):
            raise DatabaseError

    turns = Repeating(work, name="keys", period=1)
    end = subscribe(heard.append)
    try:
        while failing:
            turns.turn()
    finally:
        end()
    assert [type(event) for event in heard] == [StoreFailed, StoreRecovered, StoreFailed]
    assert {event.pipeline for event in heard} == {"keys"}


def test_it_goes_on_until_it_is_closed() -> None:
    """A turn that is under way ends first."""
    done, turns = Flag(), list[int]()

    def work() -> None:
        turns.append(1)
        if len(turns) == 3:
            done.set()

    repeating = Repeating(work, name="keys", period=0)
    repeating.start()
    done.wait()
    repeating.close()
    count = len(turns)
    assert count == len(turns) >= 3


def test_what_never_began_can_be_closed() -> None:
    Repeating(lambda: None, name="keys", period=1).close()
