"""``stormproof doctor`` says what works, what does not, why, and what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from stormproof.cli.doctor import doctor
from stormproof.errors import InvalidRequest, ModelNotFound
from stormproof.providers import OpenAIModel

Run = Callable[..., Result]

DOWN = """\
[providers.house]
preset = "openai-compatible"
url = "http://127.0.0.1:1/v1"

[models.chat]
rungs = [{ provider = "openai", model = "gpt" }, { provider = "house", model = "llama" }]
"""
ALONE = '[models.chat]\nrungs = [{ answer = "Sorry." }]\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command over a text."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.command()(doctor)

    def running(text: str, *flags: str) -> Result:
        file = tmp_path / "stormproof.toml"
        file.write_text(text, "utf-8")
        return CliRunner().invoke(app, ["--config", str(file), *flags])

    return running


def test_what_needs_nobody_works(run: Run) -> None:
    result = run(ALONE)
    assert result.exit_code == 0
    assert result.stdout.startswith("stormproof.toml is fine: 1 model\n")


def test_what_does_not_work_is_told_with_what_to_do(run: Run) -> None:
    result = run(DOWN)
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert "fails openai/gpt chat" in words
    assert "the variable OPENAI_API_KEY holds no key" in words
    assert "fails house/llama chat" in words
    assert "connection refused" in words
    assert "Check the address" in words


def test_programs_are_told_the_same(run: Run) -> None:
    result = run(DOWN, "--json")
    facts = json.loads(result.stdout)
    assert (result.exit_code, facts["works"]) == (1, False)
    first, second = facts["targets"]
    assert (first["target"], first["models"], first["works"]) == ("openai/gpt", ["chat"], False)
    assert second["error"]["code"] == "NETWORK_ERROR"
    assert second["advice"].startswith("Check the address")
    assert json.loads(run(ALONE, "--json").stdout) == {"works": True, "targets": []}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelNotFound(model="gpt"), "Correct the rung's model"),
        (InvalidRequest(reason="no such resource"), "Check the provider's url and preset"),
    ],
)
def test_what_a_provider_does_not_understand_is_ours_to_correct(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """Nobody who reads this has sent a request."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(OpenAIModel, "complete", refuse)
    assert told in run(DOWN).stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ALONE.replace("rungs", "rugns"), "stormproof.toml:2: there is no such key"),
        (f'{ALONE}[serve]\nport = "x"', "port"),
        (f"{ALONE}[serve]\nprot = 1", "prot"),
    ],
)
def test_settings_that_are_wrong_are_told_before_anybody_is_called(
    run: Run, text: str, told: str
) -> None:
    """All tables of the file."""
    result = run(text)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "CONFIGURATION_ERROR" in result.stderr
