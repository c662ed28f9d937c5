"""One bus for everything that happens."""

import threading

import pytest

from stormproof.errors import CapacityExceeded, NetworkError, Severity
from stormproof.recovery import (
    CircuitBreaker,
    Event,
    Fallback,
    FallbackUsed,
    ListenerFailed,
    Pipeline,
    background,
    events,
    subscribe,
)
from stormproof.testing import Scripted
from support.reentrancy import Scenario, at_every_point

CUT = NetworkError(reason="cut")
GUARDED = Pipeline(Fallback(value="sorry"), name="ask")


def fail() -> None:
    GUARDED.call(Scripted(NetworkError(reason="cut")))


def test_a_subscription_ends_once_and_for_itself() -> None:
    heard: list[Event] = []
    first, second = subscribe(heard.append), subscribe(heard.append)
    fail()
    assert len(heard) == 2
    first()
    first()
    fail()
    assert len(heard) == 3
    second()
    fail()
    assert len(heard) == 3


def test_a_slow_listener_in_the_background_delays_no_call() -> None:
    """It hears everything, in order, once it gets to it."""
    released, done = threading.Event(), threading.Event()
    names = ("first", "second", "last")
    heard: list[str] = []

    def slow(event: Event) -> None:
        released.wait()
        if event.pipeline in names:  # the bus is everybody's
            heard.append(event.pipeline)
        if event.pipeline == "last":
            done.set()

    unsubscribe = subscribe(slow, background=True)
    for name in names:
        Pipeline(Fallback(value="sorry"), name=name).call(Scripted(CUT))
    assert heard == []
    unsubscribe()  # what waits is heard all the same
    released.set()
    done.wait()
    assert heard == [*names]


def test_a_listener_that_falls_far_behind_misses_events_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 2)
    released = threading.Event()
    told: list[ListenerFailed] = []

    def hear(event: Event) -> None:
        if isinstance(event, ListenerFailed):
            told.append(event)

    ends = [subscribe(lambda _: released.wait(), background=True), subscribe(hear)]
    try:
        for _ in range(6):
            fail()
    finally:
        released.set()
        for end in ends:
            end()
    assert 3 <= len(told) <= 4  # one may be in its hands
    assert {type(event.error) for event in told} == {CapacityExceeded}


def test_what_a_listener_raises_in_the_background_is_told() -> None:
    told: list[ListenerFailed] = []
    done = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, ListenerFailed):
            told.append(event)
            done.set()

    def broken(_event: Event) -> None:
        raise ValueError("broken")

    ends = [subscribe(broken, background=True), subscribe(hear)]
    try:
        fail()
        done.wait()
    finally:
        for end in ends:
            end()
    assert "broken" in told[0].listener


def test_a_listener_that_raises_harms_nobody_and_is_told_of() -> None:
    heard: list[Event] = []

    def broken(_event: Event) -> None:
        raise RuntimeError("the log is full")

    subscriptions = [subscribe(broken), subscribe(heard.append)]
    fail()
    for unsubscribe in subscriptions:
        unsubscribe()
    used, failed = sorted(heard, key=lambda event: isinstance(event, ListenerFailed))
    assert isinstance(used, FallbackUsed)
    assert isinstance(failed, ListenerFailed)
    assert "broken" in failed.listener
    assert str(failed.error) == "the log is full"


def test_listeners_are_bounded() -> None:
    """Somebody who subscribes for each call is told, before memory is."""
    before = len(events.bus.listeners)
    subscriptions = [subscribe(print) for _ in range(events.MOST_LISTENERS - before)]
    try:
        with pytest.raises(CapacityExceeded):
            subscribe(print)
    finally:
        for unsubscribe in subscriptions:
            unsubscribe()


def test_nothing_is_built_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_happen(*_: object) -> None:
        raise AssertionError

    breaker = CircuitBreaker("dependency")
    monkeypatch.setattr(Event, "__init__", must_not_happen)
    monkeypatch.setattr(FallbackUsed, "__init__", must_not_happen)
    monkeypatch.setattr(events.bus, "publish", must_not_happen)
    fail()
    breaker.isolate()
    breaker.close()


def test_every_kind_of_event_has_a_severity() -> None:
    kinds = [one for one in Event.__subclasses__() if one.__module__ == Event.__module__]
    assert {kind.severity for kind in kinds} == {
        Severity.INFO,
        Severity.WARNING,
        Severity.ERROR,
    }


def test_a_finalizer_may_end_a_subscription_at_any_point_of_another_one() -> None:
    def prepare() -> Scenario:
        bus = events.Bus()
        bus.subscribe(print)
        abandoned = bus.subscribe(str)

        def outer() -> None:
            bus.subscribe(repr)()
            bus.subscribe(id)

        return Scenario(outer, abandoned, lambda: check(bus))

    def check(bus: events.Bus) -> None:
        assert list(map(repr, bus.listeners)) == ["print", "id"]

    at_every_point(prepare)


@pytest.mark.parametrize("name", [None, ValueError("nameless")])
def test_a_listener_without_a_proper_name_harms_no_call(name: object) -> None:
    class Proxy:
        def __call__(self, event: Event) -> None:
            raise RuntimeError("broken")

        def __getattr__(self, _name: str) -> object:
            if isinstance(name, Exception):
                raise name
            return self

    heard: list[Event] = []
    ends = [subscribe(Proxy()), subscribe(heard.append)]
    fail()
    for end in ends:
        end()
    told = [event.listener for event in heard if isinstance(event, ListenerFailed)]
    assert told == [Proxy.__qualname__]


def test_what_cannot_be_called_is_no_listener() -> None:
    with pytest.raises(TypeError, match="not None"):
        subscribe(None)  # type: ignore[arg-type]
