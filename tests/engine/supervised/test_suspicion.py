"""Only what kills again, alone, at the same place, is guilty."""

from stormproof.engine.supervised.suspicion import Suspicion


def test_two_deaths_alone_at_the_same_place_convict() -> None:
    suspicion = Suspicion()
    suspicion.died(range(10, 11), alone=True)
    assert not suspicion.proven
    suspicion.died(range(11), alone=True)  # read again from the start
    assert suspicion.proven


def test_deaths_among_others_convict_nobody() -> None:
    suspicion = Suspicion()
    for _ in range(100):
        suspicion.died(range(10, 11), alone=False)
    assert not suspicion.proven


def test_a_death_among_others_says_where_to_look() -> None:
    suspicion = Suspicion()
    suspicion.died(range(10, 11), alone=False)
    suspicion.died(range(11), alone=True)
    suspicion.died(range(11), alone=True)
    assert suspicion.proven


def test_deaths_at_different_places_are_coincidence() -> None:
    suspicion = Suspicion()
    for position in range(100):
        suspicion.died(range(position, position + 1), alone=True)
    assert not suspicion.proven


def test_who_is_past_the_place_is_acquitted() -> None:
    suspicion = Suspicion()
    suspicion.died(range(10, 11), alone=True)
    suspicion.clear_before(10)
    assert suspicion.deaths == 1
    suspicion.clear_before(11)
    suspicion.died(range(11), alone=True)
    assert not suspicion.proven


def test_two_deaths_before_anything_was_read_convict() -> None:
    """However much of the request was read in between: by then it was another process."""
    suspicion = Suspicion()
    for read in (0, 70):
        suspicion.clear_before(read)
        suspicion.died(range(-1, 0), alone=True)
    assert suspicion.proven


def test_kills_that_may_come_from_outside_convict_only_the_third_time() -> None:
    """Whoever killed it, the kernel for want of memory or a person, did it twice by chance."""
    suspicion = Suspicion()
    for _ in range(2):
        suspicion.died(range(512), alone=True, killed=True)
        assert not suspicion.proven
    suspicion.died(range(512), alone=True, killed=True)
    assert suspicion.proven


def test_a_kill_makes_a_crash_at_the_same_place_no_more_certain() -> None:
    suspicion = Suspicion()
    suspicion.died(range(512), alone=True, killed=True)
    suspicion.died(range(512), alone=True)
    assert not suspicion.proven
    suspicion.died(range(512), alone=True)
    assert suspicion.proven


def test_a_kill_elsewhere_has_no_part_in_it() -> None:
    suspicion = Suspicion()
    suspicion.died(range(512), alone=True, killed=True)
    for _ in range(2):
        suspicion.died(range(600, 601), alone=True)
    assert suspicion.proven
