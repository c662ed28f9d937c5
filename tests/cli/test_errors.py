"""``stormproof errors``: what a code means, and what to do."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from stormproof.cli.errors import errors
from stormproof.errors import Category, from_wire, known_errors


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(errors)
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, arguments)


def printed(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


CODES = sorted(
    code for code, cls in known_errors().items() if cls.__module__.startswith("stormproof.errors.")
)


def test_without_a_code_every_error_is_listed_under_its_family() -> None:
    result = run()

    assert result.exit_code == 0
    for category in Category:
        assert f"{category.value.capitalize()} errors" in result.stdout
    for code in CODES:
        assert code in result.stdout


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_explained(code: str) -> None:
    """Meaning, status, severity, what to do, and an example that reads back as its class."""
    cls = known_errors()[code]
    result = run(code)
    text = " ".join(result.stdout.split())

    assert result.exit_code == 0
    for fact in (code, cls.__name__, str(cls.http_status), cls.severity.name, cls.remedy):
        assert fact in text
    assert type(from_wire(printed(code)["example"])) is cls


def test_the_explanation_reads_well() -> None:
    """The first screen of one code, down to its example."""
    lines = [line.rstrip() for line in run("DISK_FULL").stdout.splitlines()]

    assert lines[: lines.index("On the wire:")] == [
        "DISK_FULL  DiskFull",
        "No space, or no quota, is left where data must be written.",
        "",
        "Status      507",
        "Family      resource",
        "Severity    CRITICAL",
        "Retriable   yes",
        "Fields      path: str | None  (may be left out, internal: never sent to a client)",
        "What to do  Free space on the file system, or raise the quota.",
        "",
    ]


@pytest.mark.parametrize("spelling", ["out_of_blocks", "Out-Of-Blocks", "OutOfBlocks"])
def test_a_code_may_be_spelt_freely(spelling: str) -> None:
    """In small letters, with dashes, or as the name of the class."""
    assert printed(spelling)["code"] == "OUT_OF_BLOCKS"


def test_an_unknown_code_is_answered_with_those_like_it() -> None:
    result = run("OUT_OF_BLOKS")

    assert result.exit_code == 2
    assert "OUT_OF_BLOCKS" in result.stderr


def test_a_code_like_no_other_is_answered_with_the_way_to_the_list() -> None:
    result = run("xyzzy")

    assert result.exit_code == 2
    assert "stormproof errors" in result.stderr


def test_json_lists_every_error() -> None:
    """One object an error, for programs that make tables of their own."""
    listed = printed()

    assert {fact["code"] for fact in listed} >= set(CODES)
    (blocks,) = (fact for fact in listed if fact["code"] == "OUT_OF_BLOCKS")
    assert blocks == {
        "code": "OUT_OF_BLOCKS",
        "class": "OutOfBlocks",
        "status": 503,
        "category": "resource",
        "severity": "WARNING",
        "retriable": True,
        "meaning": "The KV cache has fewer free blocks than the request needs now.",
        "remedy": "Wait for running requests to finish, or give the engine more blocks.",
        "fields": [
            {"name": "needed", "type": "int", "required": True, "internal": False},
            {"name": "free", "type": "int", "required": True, "internal": False},
        ],
    }
