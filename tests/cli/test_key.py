"""``stormproof key``, as somebody types it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from stormproof.cli.key import By, Scope
from stormproof.cli.main import app
from stormproof.cli.moments import after, before
from stormproof.reflex.keys import KeyScope, digest_of
from stormproof.reflex.sql import By as Sums
from stormproof.reflex.sql import Database, KeyTable, UsageTable
from stormproof.reflex.usage.row import UsageRow, line_of

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing in it, and no variable that names a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORMPROOF_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["key", *arguments])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_key_is_printed_alone_and_once(here: Path) -> None:
    """So that a script can keep it; nothing that is on disk gives it away."""
    result = run("create", "ci")
    secret = result.stdout.strip()
    assert secret.startswith("sp-")
    assert all(secret.encode() not in file.read_bytes() for file in here.iterdir())
    assert secret not in run("list").output + json.dumps(told("list"))
    database = Database("sqlite:///stormproof.db")
    [key] = KeyTable(database).keys()
    assert key.digest == digest_of(secret)
    database.close()


def test_what_a_key_is_for_is_listed() -> None:
    made = told(
        *("create", "ci", "--tenant", "ours", "--model", "gpt-*", "--model", "local"),
        *("--scope", "chat", "--expires", "30d", "--requests-per-minute", "5"),
        *("--tokens-per-minute", "100", "--concurrency", "2"),
        *("--money-per-day", "0.5", "--money-per-month", "9"),
    )
    assert made.pop("key").startswith("sp-")
    [listed] = told("list")
    assert listed == made
    ends, begins = map(datetime.fromisoformat, (listed["expires"], listed["created"]))
    assert ends - begins == timedelta(days=30)
    assert {**listed, "created": 0, "expires": 0} == {
        "name": "ci",
        "tenant": "ours",
        "standing": "active",
        "models": ["gpt-*", "local"],
        "scopes": ["chat"],
        "limits": {
            "requests_per_minute": 5,
            "tokens_per_minute": 100,
            "concurrency": 2,
            "money_per_day": 0.5,
            "money_per_month": 9.0,
        },
        "created": 0,
        "expires": 0,
        "revoked": None,
        "last_used": None,
    }
    assert "ours" in run("list").output


def test_a_revoked_key_stays_in_the_list() -> None:
    """Its name is not free again: what it used is kept by it."""
    run("create", "ci")
    assert run("revoke", "ci").exit_code == 0
    assert [one["standing"] for one in told("list")] == ["revoked"]
    again = run("create", "ci")
    assert again.exit_code == 2
    assert "CONFLICT" in again.output


def test_usage_is_what_was_entered(here: Path) -> None:
    run("create", "ci")
    database = Database("sqlite:///stormproof.db")
    time = int(datetime.now(UTC).timestamp())
    row = UsageRow(time=time, key="ci", user="ann", model="m", prompt_tokens=1234, cost=1_500_000)
    UsageTable(database).take("j", [line_of(row).strip()], 0, 1)
    database.close()
    [sums] = told("usage", "--by", "user")
    assert (sums["name"], sums["prompt_tokens"], sums["cost"]) == ("ann", 1234, 0.0015)
    shown = run("usage", "--since", "1d").output
    assert "ci" in shown
    assert "1,234" in shown
    assert told("usage", "--since", "2999-01-01") == []
    assert told("list")[0]["last_used"] is not None


@pytest.mark.parametrize("command", [["list"], ["usage"], ["revoke", "ci"]])
def test_a_database_is_made_for_the_first_key_alone(here: Path, command: list[str]) -> None:
    """One without keys would close the server of this folder."""
    result = run(*command)
    assert result.exit_code == 1
    assert "the first key makes one" in result.output
    assert list(here.iterdir()) == []


def test_the_settings_and_the_environment_name_the_database(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment comes first; there may be a password in it."""
    (here / "stormproof.toml").write_text('[reflex]\ndatabase = "sqlite:///a.db"\n')
    run("create", "a")
    monkeypatch.setenv("STORMPROOF_DATABASE_URL", "sqlite:///b.db")
    run("create", "b")
    assert [one["name"] for one in told("list")] == ["b"]
    assert {"a.db", "b.db"} < {file.name for file in here.iterdir()}


def test_no_password_stands_in_the_settings(here: Path) -> None:
    """The refusal does not quote it."""
    url = "postgresql://me:secret@host/x"
    (here / "stormproof.toml").write_text(f'[reflex]\ndatabase = "{url}"\n')
    result = run("list")
    assert result.exit_code == 1
    assert "STORMPROOF_DATABASE_URL" in result.output
    assert "secret" not in result.output


def test_what_makes_no_sense_is_refused(here: Path) -> None:
    """And nothing is made, not even a database."""
    assert run("create", "a b").exit_code == 2
    assert run("create", "a", "--requests-per-minute", "0").exit_code == 2
    assert run("create", "a", "--expires", "soon").exit_code == 2
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "ahead", "back"),
    [
        (
            "90m",
            datetime(2030, 1, 31, 13, 30, tzinfo=UTC),
            datetime(2030, 1, 31, 10, 30, tzinfo=UTC),
        ),
        ("2w", datetime(2030, 2, 14, 12, tzinfo=UTC), datetime(2030, 1, 17, 12, tzinfo=UTC)),
        ("2030-03-01", datetime(2030, 3, 1, tzinfo=UTC), datetime(2030, 3, 1, tzinfo=UTC)),
    ],
)
def test_moments_are_spans_or_days(text: str, ahead: datetime, back: datetime) -> None:
    assert after(text, NOW) == ahead
    assert before(text, NOW) == back


@pytest.mark.parametrize("text", ["", "5", "0d", "d", "-1d", "1d1h", "9999999d", "soon"])
def test_other_texts_are_no_moments(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        after(text, NOW)


def test_the_command_knows_all_that_there_is() -> None:
    """It has lists of its own, so that its help needs nothing heavy."""
    assert [*Scope] == [*KeyScope]
    assert [*By] == [*Sums]
