"""A process that replaces another may take as long to load as that did, and some more."""

from stormproof.engine.supervised.start_deadline import StartDeadline


def test_the_first_has_five_minutes() -> None:
    """Nothing is known of it; nobody has asked it anything."""
    assert StartDeadline(60).seconds == 300


def test_later_ones_have_twice_what_was_needed() -> None:
    """Others may use the machine by now."""
    deadline = StartDeadline(8)
    for silence, seconds in ((20, 40), (1, 40), (21, 42)):
        deadline.kept(silence)
        assert deadline.seconds == seconds


def test_none_has_less_than_a_step_or_ten_seconds() -> None:
    """However quick the first was: the machine was idle then, perhaps."""
    for step_deadline, seconds in ((60, 60), (0.5, 10)):
        deadline = StartDeadline(step_deadline)
        deadline.kept(0.1)
        assert deadline.seconds == seconds


def test_each_that_misses_it_leaves_more_time_to_the_next() -> None:
    """A disk may have become slow: it is not to keep the engine down for ever."""
    deadline = StartDeadline(60)
    deadline.kept(1)
    seconds = []
    for _ in range(4):
        deadline.missed()
        seconds.append(deadline.seconds)
    assert seconds == [120, 240, 300, 300]
    deadline.kept(200)
    assert deadline.seconds == 300
