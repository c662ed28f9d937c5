"""``stormproof model`` shows, fetches and removes models, and fails in one clear message."""

import json
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from stormproof.cli.failures import failures
from stormproof.cli.model import app
from stormproof.cli.pull_progress import pull_progress
from stormproof.recovery.clock import reset_clock, set_clock
from stormproof.weights import ModelLibrary, PullProgress, Stage
from support.mirror import PAYLOAD, TINY, ImpatientClock, Mirror, forget_settings, mirroring, refuse


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """A package index that the command line uses, with one model in the catalogue."""
    forget_settings(monkeypatch, tmp_path)
    catalog = {TINY.name: TINY}
    monkeypatch.setattr("stormproof.cli.model.ModelLibrary", partial(ModelLibrary, catalog=catalog))
    monkeypatch.setattr("stormproof.cli.model.CATALOG", catalog)
    with mirroring() as server:
        monkeypatch.setenv("STORMPROOF_INDEX_URL", server.url)
        token = set_clock(ImpatientClock())
        yield server
        reset_clock(token)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Where the model will be."""
    return tmp_path / "models" / "tiny" / "tiny.gguf"


def test_pull_prints_the_path_and_nothing_else(mirror: Mirror, model: Path) -> None:
    """Standard output is for programs; the progress is on standard error."""
    result = run("pull", "tiny")
    assert (result.exit_code, result.stdout) == (0, f"{model}\n")
    assert model.read_bytes() == PAYLOAD
    assert "downloading: " in result.stderr
    assert "unpacking 300.0 kB\n" in result.stderr


def test_pull_takes_an_index(mirror: Mirror, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMPROOF_INDEX_URL", "http://nowhere.invalid/simple")
    assert run("pull", "tiny", "--index-url", mirror.url).exit_code == 0


def test_pull_says_that_it_tries_again(mirror: Mirror) -> None:
    mirror.answers.append(refuse(503, retry_after="7"))
    result = run("pull", "tiny")
    assert result.exit_code == 0
    assert "answered 503; trying again in 7.0 s" in result.stderr


def test_path_prints_where_a_model_is(mirror: Mirror, model: Path) -> None:
    run("pull", "tiny")
    assert run("path", "tiny").stdout == f"{model}\n"


def test_path_fails_without_the_model(mirror: Mirror) -> None:
    result = run("path", "tiny")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "MODEL_LOAD_ERROR" in result.stderr
    assert "stormproof model pull" in result.stderr


def test_list_shows_what_is_here_and_what_could_be(mirror: Mirror, model: Path) -> None:
    """JSON for programs: a model that is not here has no path."""
    (row,) = json.loads(run("list", "--json").stdout)
    assert (row["name"], row["path"]) == ("tiny", None)
    assert "not here" in run("list").stdout
    run("pull", "tiny")
    (row,) = json.loads(run("list", "--json").stdout)
    assert row == {
        "name": "tiny",
        "size": 300_004,
        "licence": "CC0-1.0",
        "source": "Tiny.Model 1.0",
        "path": str(model),
    }
    assert "not here" not in run("list").stdout


def test_rm_removes(mirror: Mirror, model: Path) -> None:
    run("pull", "tiny")
    assert run("rm", "tiny").exit_code == 0
    assert not model.exists()


@pytest.mark.parametrize("command", ["pull", "path", "rm"])
def test_an_unknown_name_is_a_mistake_of_the_user(mirror: Mirror, command: str) -> None:
    """Status 2, as for any misuse of a command."""
    result = run(command, "[bold]unknown")
    assert result.exit_code == 2
    assert "MODEL_NOT_FOUND" in result.stderr
    assert "[bold]unknown" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"], ["pull", "--help"]])
def test_help_is_at_hand(mirror: Mirror, arguments: list[str]) -> None:
    assert "Fetch" in run(*arguments).output


class TestFailures:
    """Whatever happens, a person gets a message and a program a status."""

    def ended_by(self, error: BaseException, *, as_json: bool = False) -> tuple[str, int]:
        """Return what is shown when ``error`` is raised, and the status of the program."""
        shown = StringIO()
        with pytest.raises(typer.Exit) as exited, failures(Console(file=shown), as_json=as_json):
            raise error
        return shown.getvalue(), exited.value.exit_code

    def test_a_bug_is_an_internal_error(self) -> None:
        text, status = self.ended_by(ZeroDivisionError("oh [no]"))
        assert status == 1
        assert "INTERNAL_ERROR" in text
        assert "ZeroDivisionError: oh [no]" in text

    def test_ctrl_c_is_no_error(self) -> None:
        assert self.ended_by(KeyboardInterrupt()) == ("", 130)

    def test_json_is_the_wire_form(self) -> None:
        text, _ = self.ended_by(ZeroDivisionError("secret"), as_json=True)
        document = json.loads(text)
        assert document["error"]["code"] == "INTERNAL_ERROR"
        assert "secret" not in text


class TestProgress:
    """Progress suits where it is shown."""

    def shown(self, *, terminal: bool) -> str:
        """Return what a pull of 1 MB in 1000 pieces, after a wait, looks like."""
        text = StringIO()
        console = Console(file=text, force_terminal=terminal, width=100)
        with pull_progress(console) as report:
            report(PullProgress(Stage.WAITING))
            for done in range(0, 1_001_000, 1_000):
                report(PullProgress(Stage.DOWNLOADING, done, 1_000_000))
        return text.getvalue()

    def test_a_terminal_gets_a_bar(self) -> None:
        text = self.shown(terminal=True)
        assert "waiting" in text
        assert "downloading" in text
        assert "1.0/1.0 MB" in text

    def test_a_file_gets_a_line_for_each_tenth(self) -> None:
        lines = self.shown(terminal=False).splitlines()
        assert lines[0] == "another process is pulling this model; waiting for it"
        assert lines[1] == "downloading: 0 bytes of 1.0 MB"
        assert lines[-1] == "downloading: 1.0 MB of 1.0 MB"
        assert len(lines) == 12

    def test_other_stages_get_one_line(self) -> None:
        """Checking takes a moment; a line that it began is enough."""
        text = StringIO()
        with pull_progress(Console(file=text)) as report:
            for done in range(100):
                report(PullProgress(Stage.CHECKING, done, 100))
        assert text.getvalue() == "checking 100 bytes\n"
