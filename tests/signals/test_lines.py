"""What is logged with every request says what any record would, at less cost."""

import asyncio
import io
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from stormproof.signals import configure_logging, log_context, log_often

Lines = Callable[[], list[dict[str, Any]]]

logger = logging.getLogger("stormproof.tests")

FIELDS: dict[str, Any] = {"route": "/v1/models", "status": 200, "code": None, "seconds": 0.5}


def test_the_line_is_that_of_a_record(lines: Lines) -> None:
    configure_logging("info", console=False)
    with log_context(request_id="mine"):
        log_often(logger, logging.INFO, "answered", **FIELDS)
        logger.info("answered", extra=FIELDS)
    often, record = lines()
    assert often.pop("timestamp") <= record.pop("timestamp")
    assert often == record
    assert list(often) == list(record)


def test_a_level_that_is_not_logged_is_not(lines: Lines) -> None:
    configure_logging("warning", console=False)
    log_often(logger, logging.INFO, "answered", **FIELDS)
    assert lines() == []


def test_other_handlers_get_a_record(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """And the log its line, once."""
    configure_logging("info", console=False)
    logging.getLogger().addHandler(caplog.handler)
    log_often(logger, logging.INFO, "answered", **FIELDS)
    logging.getLogger().removeHandler(caplog.handler)
    [record] = caplog.records
    assert (record.getMessage(), vars(record)["status"]) == ("answered", 200)
    assert len(lines()) == 1


def test_a_person_gets_colours(written: Callable[[], str]) -> None:
    configure_logging("info", console=True)
    log_often(logger, logging.INFO, "answered", **FIELDS)
    assert "\x1b[" in written()


def test_a_clients_secret_is_blanked(lines: Lines) -> None:
    """A request's id may be the client's."""
    configure_logging("info", console=False)
    with log_context(request_id="sk-abcdefghijklmnop"):
        log_often(logger, logging.INFO, "answered", **FIELDS)
    assert lines()[0]["request_id"] == "[redacted]"


def test_a_log_that_nobody_can_read_harms_nobody(
    written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    configure_logging("info", console=False)
    gone.close()
    log_often(logger, logging.INFO, "into the void", **FIELDS)
    assert written() == ""


async def test_lines_of_a_moment_are_written_together_and_before_what_follows(
    lines: Lines,
) -> None:
    configure_logging("info", console=False)
    for place in range(2):
        log_often(logger, logging.INFO, "often", place=place)
    assert lines() == []
    while not (written := lines()):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    assert [line["place"] for line in written] == [0, 1]
    log_often(logger, logging.INFO, "often")
    logger.info("record")
    assert [line["event"] for line in lines()] == ["often", "record"]


def test_lines_that_an_event_loop_left_are_written(lines: Lines) -> None:
    """With those of the next one, or at the end."""
    configure_logging("info", console=False)

    async def log(event: str) -> None:
        log_often(logger, logging.INFO, event)

    asyncio.run(log("left"))
    assert lines() == []

    async def go_on() -> None:
        await log("next")
        while not written:
            await asyncio.sleep(0)
            written.extend(lines())

    written: list[dict[str, Any]] = []
    asyncio.run(go_on())
    assert [line["event"] for line in written] == ["left", "next"]
    asyncio.run(log("last"))
    logging.shutdown()
    assert [line["event"] for line in lines()] == ["last"]
