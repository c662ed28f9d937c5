"""A process hangs if it says nothing while somebody waits, and only then."""

from stormproof.engine.stats import EngineStats
from stormproof.engine.supervised.life import Life
from stormproof.engine.supervised.messages import Loading, Ready, Stepped
from stormproof.engine.supervised.start_deadline import StartDeadline


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def born(now: Now, start_deadline: StartDeadline | None = None) -> Life:
    return Life(now, 60, start_deadline or StartDeadline(60))


def working(now: Now) -> Life:
    life = born(now)
    life.heard(Ready(EngineStats()))
    return life


def test_an_idle_process_is_never_overdue() -> None:
    now = Now()
    life = working(now)
    life.expects(waiting=False)
    now.seconds = 1e6
    assert life.patience is None
    assert not life.overdue


def test_one_that_is_waited_for_is_overdue_after_the_deadline() -> None:
    """Counted from when the waiting began, or from its last word."""
    now = Now()
    life = working(now)
    life.expects(waiting=False)
    now.seconds = 1000
    life.expects(waiting=True)
    now.seconds = 1059
    assert not life.overdue
    life.heard(Stepped([], EngineStats(steps=3)))
    assert life.steps == 3
    now.seconds = 1118
    assert life.patience == 1
    now.seconds = 1119
    assert life.overdue


def test_loading_may_take_longer_than_a_step() -> None:
    now = Now()
    life = born(now)
    life.expects(waiting=False)
    now.seconds = 299
    assert not life.overdue
    now.seconds = 300
    assert life.overdue
    assert life.served == 0


def test_time_in_which_nobody_watched_is_not_held_against_it() -> None:
    """All was paused, or the machine slept: what the process has left is what it had before."""
    now = Now()
    life = working(now)
    for second in range(1, 31):
        now.seconds = second
        life.watched()
    now.seconds = 1030
    life.watched()
    assert not life.overdue
    for second in range(1031, 1059):
        now.seconds = second
        life.watched()
    assert not life.overdue
    now.seconds = 1061
    life.watched()
    assert life.overdue


def test_a_pause_before_anybody_waited_gives_no_credit() -> None:
    now = Now()
    life = working(now)
    life.expects(waiting=False)
    now.seconds = 1000
    life.expects(waiting=True)
    life.watched()
    assert life.patience == 60


def test_loading_again_may_not_take_much_longer_than_before() -> None:
    """Counted from word to word: somebody waits for it."""
    now, start_deadline = Now(), StartDeadline(60)
    first = born(now, start_deadline)
    for at, report in ((10, Loading(0.5)), (60, Loading(1.0)), (65, Ready(EngineStats()))):
        now.seconds = at
        first.heard(report)
    second = born(now, start_deadline)
    assert second.patience == 2 * 50
    now.seconds += 100
    assert second.overdue
    assert second.hung() == "nothing for 100 s"
    assert born(now, start_deadline).patience == 200


def test_a_step_that_hangs_says_nothing_about_loading() -> None:
    now, start_deadline = Now(), StartDeadline(60)
    life = born(now, start_deadline)
    life.heard(Ready(EngineStats()))
    now.seconds = 60
    assert life.hung() == "nothing for 60 s"
    assert start_deadline.seconds == 60
