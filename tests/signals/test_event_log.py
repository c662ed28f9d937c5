"""What recovery did, as it is read in a log."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from stormproof import recovery
from stormproof.errors import NetworkError
from stormproof.recovery import Event, Fallback, Pipeline, Retry, subscribe
from stormproof.recovery.events import bus
from stormproof.signals import configure_logging, log_context, log_events
from stormproof.testing import FakeClock, Scripted

Lines = Callable[[], list[dict[str, Any]]]

EVENTS = [
    kind
    for kind in (getattr(recovery, name) for name in recovery.__all__)
    if isinstance(kind, type) and issubclass(kind, Event)
]


@pytest.fixture
def listening() -> Iterator[None]:
    unsubscribe = log_events()
    yield
    unsubscribe()


@pytest.mark.usefixtures("listening")
def test_a_recovered_call(lines: Lines) -> None:
    """Each event at its severity, with its own fields, the error's, and the request's."""
    configure_logging("info", console=False)
    guarded = Pipeline(Fallback(value="sorry"), Retry(attempts=2), name="ask")
    with FakeClock(random=lambda: 1.0), log_context(request_id="req_1", operation="chat"):
        guarded.call(Scripted(ConnectionResetError("by peer"), ConnectionResetError("by peer")))
    logged = lines()
    assert [(line["level"], line["event"]) for line in logged] == [
        ("info", "attempt failed"),
        ("warning", "retry scheduled"),
        ("info", "attempt failed"),
        ("error", "retry gave up"),
        ("warning", "fallback used"),
    ]
    del logged[1]["timestamp"]
    assert logged[1] == {
        "event": "retry scheduled",
        "level": "warning",
        "logger": "stormproof.recovery",
        "pipeline": "ask",
        "strategy": "retry",
        "attempt": 2,
        "wait": 0.1,
        "code": "CONNECTION_LOST",
        "error": logged[1]["error"],
        "error_type": "ConnectionResetError",
        "request_id": "req_1",
        "operation": "chat",
    }
    assert logged[3]["reason"] == "attempts_spent"


@pytest.mark.usefixtures("listening")
def test_what_is_not_severe_enough_is_not_logged(lines: Lines) -> None:
    configure_logging("error", console=False)
    Pipeline(Fallback(value="sorry")).call(Scripted(NetworkError(reason="cut")))
    assert lines() == []


@pytest.mark.usefixtures("listening")
def test_a_listener_that_raises_is_logged(lines: Lines) -> None:
    def broken(_event: Event) -> None:
        raise RuntimeError("the queue is full")

    configure_logging("error", console=False)
    unsubscribe = subscribe(broken)
    Pipeline(Fallback(value="sorry")).call(Scripted(NetworkError(reason="cut")))
    unsubscribe()
    [line] = lines()
    assert line["event"] == "listener failed"
    assert "broken" in line["listener"]
    assert line["error_type"] == "RuntimeError"


def test_the_log_of_events_ends(lines: Lines) -> None:
    configure_logging("info", console=False)
    log_events()()
    Pipeline(Fallback(value="sorry")).call(Scripted(NetworkError(reason="cut")))
    assert lines() == []


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_no_field_of_an_event_hides_one_of_a_log_record(kind: type[Event]) -> None:
    """``logging`` refuses a record with such a field."""
    taken = {*vars(logging.makeLogRecord({})), "message", "asctime", "event", "level", "logger"}
    assert not taken & {field.name for field in fields(kind)}


def test_without_a_configured_log_events_are_ordinary_records(
    listening: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that has its own logging needs none of ours."""
    Pipeline(Fallback(value="sorry"), name="ask").call(Scripted(NetworkError(reason="cut")))
    [record] = caplog.records
    assert (record.name, record.levelname) == ("stormproof.recovery", "WARNING")
    assert record.getMessage() == "fallback used"
    assert vars(record)["pipeline"] == "ask"
    assert len(bus.listeners) >= 1
