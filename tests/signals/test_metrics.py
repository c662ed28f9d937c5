"""Everything that recovery does is a number that Prometheus can read."""

from collections.abc import Callable
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stormproof.errors import DeadlineExceeded, NetworkError
from stormproof.recovery import (
    CircuitBreaker,
    CircuitFollowed,
    CircuitOpened,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Event,
    FailedOver,
    Fallback,
    FallbackUsed,
    LimitChanged,
    Pipeline,
    RateLimit,
    Retry,
    StoreLost,
    StoreRegained,
    ThreadFreed,
    ThreadPinned,
    subscribe,
)
from stormproof.recovery.events import bus
from stormproof.signals import Metrics
from stormproof.signals.tally import MOST_LABEL_SETS
from stormproof.testing import FakeClock, Scripted

Series = Callable[[], list[str]]

CUT = NetworkError(reason="cut")


def fall_back(*, pipeline: str, strategy: str = "fallback") -> None:
    bus.publish(FallbackUsed(pipeline=pipeline, strategy=strategy, error=CUT))


def test_a_call_that_is_retried_and_answered_for(series: Series) -> None:
    """Attempts, retries, the reason for giving up and the fallback are counted."""
    guarded = Pipeline(Fallback(value="sorry"), Retry(attempts=2), name="ask")
    with FakeClock():
        guarded.call(Scripted(CUT, CUT))
    labels = 'pipeline="ask",strategy="retry"'
    by_reason = 'pipeline="ask",reason="attempts_spent",strategy="retry"'
    for line in (
        f"stormproof_attempts_failed_total{{{labels}}} 2.0",
        f"stormproof_retries_scheduled_total{{{labels}}} 1.0",
        f"stormproof_retries_given_up_total{{{by_reason}}} 1.0",
        'stormproof_fallbacks_used_total{pipeline="ask",strategy="fallback"} 1.0',
    ):
        assert line in series()


def test_a_circuit_from_closed_to_closed(series: Series) -> None:
    """The gauge follows the circuit; transitions and rejections are counted."""
    breaker = CircuitBreaker("db", opens_on=ConsecutiveFailures(1), open_for=5)
    guarded = Pipeline(Fallback(value="sorry"), breaker, name="read")
    with FakeClock() as clock:
        guarded.call(Scripted(CUT))
        assert 'stormproof_circuit_state{circuit="db"} 2.0' in series()
        guarded.call(Scripted("never called"))
        clock.advance(6)
        guarded.call(Scripted("back"))
    assert 'stormproof_circuit_state{circuit="db"} 0.0' in series()
    for state in ("open", "half_open", "closed"):
        line = f'stormproof_circuit_transitions_total{{circuit="db",state="{state}"}} 1.0'
        assert line in series()
    assert 'stormproof_calls_rejected_total{pipeline="read",strategy="db"} 1.0' in series()


def test_a_circuit_that_another_process_moved_is_shown_and_not_counted(series: Series) -> None:
    for state in (CircuitState.OPEN, CircuitState.CLOSED):
        bus.publish(CircuitFollowed(pipeline="", strategy="shared", state=state))
    assert 'stormproof_circuit_state{circuit="shared"} 0.0' in series()
    assert not any("transitions" in line and "shared" in line for line in series())


def test_a_store_out_of_reach_is_counted_and_shown_until_it_is_back(series: Series) -> None:
    bus.publish(StoreLost(pipeline="", strategy="redis", error=CUT))
    assert 'stormproof_store_reachable{store="redis"} 0.0' in series()
    bus.publish(StoreRegained(pipeline="", strategy="redis"))
    assert 'stormproof_store_reachable{store="redis"} 1.0' in series()
    assert 'stormproof_stores_lost_total{pipeline="",strategy="redis"} 1.0' in series()


def test_a_circuit_that_a_person_opened_is_isolated(series: Series) -> None:
    CircuitBreaker("mail").isolate()
    assert 'stormproof_circuit_state{circuit="mail"} 3.0' in series()


def test_how_long_calls_waited_for_their_turn(series: Series) -> None:
    """One that was let in at once is not among them."""
    guarded = Pipeline(RateLimit("api", permits=1, period=2.0, max_wait=10), name="ask")
    with FakeClock():
        for _ in range(3):
            guarded.call(Scripted("answer"))
    labels = 'pipeline="ask",strategy="api"'
    for line in (
        f'stormproof_call_wait_seconds_bucket{{le="1.0",{labels}}} 0.0',
        f'stormproof_call_wait_seconds_bucket{{le="5.0",{labels}}} 2.0',
        f'stormproof_call_wait_seconds_bucket{{le="+Inf",{labels}}} 2.0',
        f"stormproof_call_wait_seconds_count{{{labels}}} 2.0",
        f"stormproof_call_wait_seconds_sum{{{labels}}} 4.0",
    ):
        assert line in series()


def test_a_level_is_the_last_that_was_told(series: Series) -> None:
    bus.publish(LimitChanged(pipeline="ask", strategy="gpu", limit=20, before=10))
    bus.publish(LimitChanged(pipeline="ask", strategy="gpu", limit=5, before=20))
    bus.publish(ThreadPinned(pipeline="ask", strategy="files", pinned=2, limit=8))
    bus.publish(ThreadFreed(pipeline="", strategy="files", pinned=1, limit=8))
    assert 'stormproof_concurrency_limit{limit="gpu"} 5.0' in series()
    assert 'stormproof_threads_pinned{threads="files"} 1.0' in series()


def test_another_target_that_was_asked(series: Series) -> None:
    event = FailedOver(pipeline="ask", strategy="failover", target="eu", to="us", error=CUT)
    bus.publish(event)
    labels = 'pipeline="ask",strategy="failover",target="eu",to="us"'
    assert f"stormproof_failovers_total{{{labels}}} 1.0" in series()


def test_a_deadline_that_passed(series: Series) -> None:
    guarded = Pipeline(Deadline(1), name="slow")
    with FakeClock() as clock:

        @guarded
        def outer() -> None:
            clock.advance(2)
            Pipeline(Deadline(1), name="late").call(Scripted("never called"))

        with pytest.raises(DeadlineExceeded):
            outer()
    assert 'stormproof_deadlines_passed_total{pipeline="late",strategy="deadline"} 1.0' in series()


def test_a_listener_that_raises_is_counted_and_harms_no_series(series: Series) -> None:
    def broken(_event: Event) -> None:
        raise RuntimeError

    unsubscribe = subscribe(broken)
    fall_back(pipeline="ask")
    unsubscribe()
    labels = '{pipeline="ask",strategy="fallback"}'
    assert f"stormproof_listeners_failed_total{labels} 1.0" in series()
    assert f"stormproof_fallbacks_used_total{labels} 1.0" in series()


def test_an_event_without_a_series_of_its_own_is_counted_by_its_name(series: Series) -> None:
    """So what strategies of somebody's own publish is counted too."""
    bus.publish(Event(pipeline="ask", strategy="own"))
    line = 'stormproof_recovery_events_total{event="Event",pipeline="ask",strategy="own"} 1.0'
    assert line in series()


def test_errors_are_counted_by_code_and_component(metrics: Metrics, series: Series) -> None:
    metrics.failed("OUT_OF_BLOCKS", "gateway")
    metrics.failed("OUT_OF_BLOCKS", "gateway")
    assert 'stormproof_errors_total{code="OUT_OF_BLOCKS",component="gateway"} 2.0' in series()


def test_a_flood_of_names_does_not_grow_the_series(series: Series) -> None:
    """Beyond the limit all are counted in one place, and none is lost."""
    fall_back(pipeline="first")
    for number in range(2 * MOST_LABEL_SETS):
        fall_back(pipeline=f"made up {number}")
    fall_back(pipeline="first")
    counted = [line for line in series() if line.startswith("stormproof_fallbacks_used_total")]
    assert len(counted) == MOST_LABEL_SETS + 1
    assert sum(float(line.rpartition(" ")[2]) for line in counted) == 2 * MOST_LABEL_SETS + 2
    assert 'stormproof_fallbacks_used_total{pipeline="first",strategy="fallback"} 2.0' in counted
    assert any('pipeline="(other)",strategy="(other)"' in line for line in counted)


def test_a_flood_of_circuits_does_not_grow_the_gauge(series: Series) -> None:
    """States do not add up, so those beyond the limit are not shown; transitions are counted."""
    for number in range(MOST_LABEL_SETS + 9):
        bus.publish(CircuitOpened(pipeline="", strategy=f"circuit {number}", retry_after=1))
    shown = [line for line in series() if line.startswith("stormproof_circuit_state{")]
    assert len(shown) == MOST_LABEL_SETS
    assert 'stormproof_circuit_transitions_total{circuit="(other)",state="(other)"} 9.0' in series()


@pytest.mark.parametrize("name", ["x" * 1_000_000, "\ud800", 'a"b\n# c\\', "\0"])
def test_a_hostile_name_does_not_break_the_scrape(name: str, series: Series) -> None:
    fall_back(pipeline=name)
    [counted] = [line for line in series() if line.startswith("stormproof_fallbacks_used_total")]
    assert counted.endswith(',strategy="fallback"} 1.0')
    assert len(counted) < 300


def test_closed_metrics_hear_nothing_and_can_still_be_read() -> None:
    registry = CollectorRegistry()
    listeners = len(bus.listeners)
    with closing(Metrics(registry)) as metrics:
        fall_back(pipeline="heard")
    metrics.close()
    fall_back(pipeline="unheard")
    assert len(bus.listeners) == listeners
    text = generate_latest(registry).decode()
    assert '"heard"' in text
    assert '"unheard"' not in text


def test_series_that_are_refused_leave_no_listener_behind() -> None:
    registry = CollectorRegistry(auto_describe=True)
    with closing(Metrics(registry)):
        listeners = bus.listeners
        with pytest.raises(ValueError, match="Duplicated"):
            Metrics(registry)
        assert bus.listeners == listeners
