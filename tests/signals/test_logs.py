"""One line a record, whoever wrote it, with what is known of the request and without secrets."""

import asyncio
import io
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from stormproof.signals import configure_logging, log_context

Lines = Callable[[], list[dict[str, Any]]]

logger = logging.getLogger("stormproof.tests")

SECRET = "sk-abcdefghijklmnop"


def test_both_kinds_of_logger_write_json_lines(lines: Lines) -> None:
    configure_logging("info", console=False)
    logger.info("hello %s", "there", extra={"blocks": 3})
    structlog.get_logger("stormproof.other").info("bye", blocks=4)
    first, second = lines()
    assert first.pop("timestamp") <= second.pop("timestamp")
    assert first == {
        "event": "hello there",
        "level": "info",
        "logger": "stormproof.tests",
        "blocks": 3,
    }
    assert second == {"event": "bye", "level": "info", "logger": "stormproof.other", "blocks": 4}


def test_levels(lines: Lines) -> None:
    """Ours begin where we were told, everybody else's at warnings."""
    configure_logging("debug", console=False)
    logger.debug("ours")
    logging.getLogger("somebody").info("chatter")
    logging.getLogger("somebody").warning("trouble")
    configure_logging("error", console=False)
    logger.warning("not severe enough")
    structlog.get_logger("stormproof.tests").warning("nor is this")
    assert [line["event"] for line in lines()] == ["ours", "trouble"]


def test_a_persons_lines_are_coloured(written: Callable[[], str]) -> None:
    configure_logging("info", console=True)
    logger.warning("trouble", extra={"blocks": 3})
    [line] = written().splitlines()
    assert "trouble" in line
    assert "\x1b[" in line


async def test_lines_carry_the_request_of_their_task(lines: Lines) -> None:
    """Requests that are served at once do not mix; tasks that one begins belong to it."""
    configure_logging("info", console=False)

    async def work() -> None:
        await asyncio.sleep(0)
        logger.info("inside")

    async def serve(name: str) -> None:
        with log_context(request_id=name):
            with log_context(operation="chat"):
                await asyncio.gather(work())
            logger.info("after")

    await asyncio.gather(serve("a"), serve("b"))
    logger.info("outside")
    said = {(line["event"], line.get("request_id"), line.get("operation")) for line in lines()}
    inside = {("inside", name, "chat") for name in "ab"}
    assert said == inside | {("after", name, None) for name in "ab"} | {("outside", None, None)}


@pytest.mark.parametrize("console", [True, False])
def test_secrets_are_blanked_wherever_they_stand(console: bool, written: Callable[[], str]) -> None:
    """In the message, a field, a container, a field's name that says so, and a traceback."""
    configure_logging("info", console=console)
    logger.info("key %s", SECRET, extra={"url": "https://me:hunter2@host", "all": [SECRET]})
    logger.info("login", extra={"password": "hunter2 and more", "api_key": 471147114711})
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("failed")
    text = written()
    assert "ValueError" in text
    for secret in (SECRET, "hunter2", "more", "471147114711"):
        assert secret not in text


def test_a_long_text_keeps_its_ends(lines: Lines) -> None:
    """What a peer sent does not fill the disk, and a traceback's last line says most."""
    configure_logging("info", console=False)
    logger.info("first\n%s\nlast", "line\n" * 100_000)
    logger.info("first %s", "x" * 1_000_000)
    whole, unbroken = (line["event"] for line in lines())
    assert whole.startswith("first\n")
    assert whole.endswith("\nlast")
    assert len(whole) < 5000
    assert unbroken.startswith("first x")
    assert len(unbroken) < 5000


def test_a_terminal_cannot_be_driven_from_a_log(written: Callable[[], str]) -> None:
    configure_logging("info", console=True)
    logger.info("title: \x1b]0;owned\x07", extra={"name_given": "\x1b[2J"})
    text = written()
    assert "owned" in text
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", b"\xff", object(), {1: 2}])
def test_any_value_can_be_logged(value: object, lines: Lines) -> None:
    configure_logging("info", console=False)
    logger.info("odd", extra={"value": value})
    [line] = lines()
    assert isinstance(line["value"], str)


def test_a_record_that_cannot_be_written_harms_nobody(lines: Lines) -> None:
    """Neither the program nor the secrets in it."""
    configure_logging("info", console=False)
    logger.info("%s %d", SECRET, SECRET)
    [line] = lines()
    assert line == {
        "level": "error",
        "logger": "stormproof.tests",
        "event": "a log record was lost",
    }


def test_a_log_that_nobody_can_read_harms_nobody(
    written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    configure_logging("info", console=False)
    gone.close()
    logger.info("into the void")
    assert written() == ""
