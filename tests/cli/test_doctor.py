"""``stormproof doctor`` says what works, what does not, why, and what to do."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from stormproof.cli.doctor import doctor
from stormproof.errors import InvalidRequest, ModelNotFound
from stormproof.providers import OpenAIModel
from stormproof.reflex import LimitSettings
from stormproof.reflex.keys import Key, digest_of
from stormproof.reflex.sql import Database, KeyTable
from support.redis_server import RedisServer

Run = Callable[..., Result]

PASSWORD = "pw-" + "p" * 20
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
    monkeypatch.setenv("STORMPROOF_HOME", str(tmp_path / "home"))
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


def test_what_is_shared_is_asked_for(run: Run, redis: RedisServer) -> None:
    result = run(f'[redis]\nurl = "{redis.url}"\n{ALONE}')
    assert result.exit_code == 0
    assert "works redis chat none yes" in " ".join(result.stdout.split())


def test_and_what_opens_it_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_REDIS", f"redis://user:{PASSWORD}@127.0.0.1:1/0")
    for flags in ((), ("--json",)):
        result = run(f'[redis]\nurl_env = "OUR_REDIS"\n{ALONE}', *flags)
        assert result.exit_code == 1
        assert "redis" in result.stdout
        assert PASSWORD not in result.output


def test_what_does_not_work_is_told_with_what_to_do(run: Run) -> None:
    result = run(DOWN)
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert "fails openai/gpt chat OPENAI_API_KEY - - -" in words
    assert "the variable OPENAI_API_KEY holds no key" in words
    assert "fails house/llama chat none no - -" in words
    assert "connection refused" in words
    assert "Check the address" in words


def test_programs_are_told_the_same(run: Run) -> None:
    result = run(DOWN, "--json")
    facts = json.loads(result.stdout)
    assert (result.exit_code, facts["works"]) == (1, False)
    first, second = facts["targets"]
    assert (first["target"], first["models"], first["works"]) == ("openai/gpt", ["chat"], False)
    assert (first["key"], first["reached"], second["reached"]) == ("OPENAI_API_KEY", None, False)
    assert second["error"]["code"] == "NETWORK_ERROR"
    assert second["advice"].startswith("Check the address")
    assert json.loads(run(ALONE, "--json").stdout) == {"works": True, "targets": []}


def test_whose_price_nobody_knows_is_told_where_it_may_matter(run: Run) -> None:
    """A published price is one, and so is one of nothing."""
    free = ', price = { input = 0, output = 0 } }, { provider = "openai", model = "gpt-5" }'
    text = DOWN.replace(' }, { provider = "house"', f'{free}, {{ provider = "house"')

    def unpriced(text: str) -> list[str]:
        targets = json.loads(run(text, "--json").stdout)["targets"]
        return [one["target"] for one in targets if "no price" in one["note"]]

    assert unpriced(f"{text}[reflex.limits.all]\nmoney_per_day = 1.0\n") == ["house/llama"]
    assert not unpriced(text)


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
    assert told in run(DOWN, "--call").stdout


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


class Provider(BaseHTTPRequestHandler):
    """Lists one model, to whom it knows."""

    def do_GET(self) -> None:
        known = self.headers["authorization"] == f"Bearer {KEY}"
        body = json.dumps({"data": [{"id": "gpt"}]} if known else {"error": {"message": KEY}})
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


KEY = "sk-" + "k" * 40


@pytest.mark.parametrize(
    ("key", "cells"), [(KEY, "works house/gpt chat OUR_KEY yes yes yes"), ("no", "yes no -")]
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_provider_is_asked_for_its_list_and_no_key_is_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, key: str, cells: str, form: tuple[str, ...]
) -> None:
    """Not even one that the provider repeats."""
    monkeypatch.setenv("OUR_KEY", key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        result = run(HOUSE.format(url), *form)
        server.shutdown()
    assert result.exit_code == (0 if key == KEY else 1)
    assert form or cells in " ".join(result.stdout.split())
    assert KEY not in result.stdout + result.stderr


HOUSE = """\
[providers.house]
preset = "openai-compatible"
url = "{}"
key_env = "OUR_KEY"

[models.chat]
rungs = [{{ provider = "house", model = "gpt" }}]
"""
ENGINE = '[serve]\nmodel = "{}"\n[models.chat]\nrungs = [{{ engine = true }}]\n'


@pytest.mark.parametrize(
    ("model", "status", "cells"),
    [
        ("smollm2", 0, "works smollm2 chat none - - -"),
        ("./nowhere", 1, "fails nowhere chat none - - no"),
        ("no such model", 1, "fails no such model chat none - - no"),
    ],
)
def test_the_engines_model_is_here_or_can_be_fetched(
    run: Run, model: str, status: int, cells: str
) -> None:
    """Nothing is, by asking."""
    result = run(ENGINE.format(model))
    assert result.exit_code == status
    words = " ".join(result.stdout.split())
    assert cells in words
    assert ("stormproof model pull smollm2" in words) is (status == 0)


def test_a_model_that_is_here_works(run: Run, model_path: Path) -> None:
    assert f"works {model_path.name} chat none - - yes" in " ".join(
        run(ENGINE.format(model_path)).stdout.split()
    )


def test_the_stages_that_requests_pass_are_told(run: Run) -> None:
    result = run(f"[reflex.pii]\n[reflex.cache]\n{ALONE}")
    assert result.exit_code == 0
    assert "requests pass: validate, cache, pii" in result.stdout


def test_limits_that_each_worker_has_for_itself_are_told(run: Run, redis: RedisServer) -> None:
    """So many times as much is let in; what they share in Redis is let in once."""
    limits = "[reflex.limits.key]\nrequests_per_minute = 6\nmoney_per_day = 1.0\n"
    two = f"[serve]\nworkers = 2\n{limits}"
    told = "limits and budget: each of the 2 workers for itself"
    assert told in run(f"{two}{ALONE}").stdout
    assert "for itself" not in run(f'{two}[redis]\nurl = "{redis.url}"\n{ALONE}').stdout
    assert "for itself" not in run(f"{limits}{ALONE}").stdout
    assert "for itself" not in run(f"[serve]\nworkers = 2\n[reflex.pii]\n{ALONE}").stdout


def test_users_whom_machines_do_not_know_by_the_same_names_are_told(
    run: Run, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would let them use all that they may."""
    monkeypatch.setenv("PII_KEY", "k" * 32)
    shared = f'[redis]\nurl = "{redis.url}"\n[reflex.limits.user]\nconcurrency = 2\n{ALONE}'
    told = "users with personal names: each machine for itself"
    assert told in run(f"{shared}[reflex.pii]\n").stdout
    assert told not in run(f'{shared}[reflex.pii]\nkey_env = "PII_KEY"\n').stdout
    assert told not in run(shared).stdout


@pytest.mark.parametrize("limits", [None, LimitSettings(concurrency=2)])
def test_so_are_those_of_keys(run: Run, tmp_path: Path, limits: LimitSettings | None) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    database = Database(url)
    KeyTable(database).add(Key("ci", digest_of("sp-x"), created=0.0, limits=limits))
    database.close()
    result = run(f'[serve]\nworkers = 2\n[reflex]\ndatabase = "{url}"\n{ALONE}')
    assert result.exit_code == 0
    assert ("limits of keys: each of the 2 workers for itself" in result.stdout) is bool(limits)


def test_a_stage_that_cannot_be_made_is_told(run: Run) -> None:
    """Before a server is started with it."""
    result = run(f'[reflex.pii]\nkey_env = "NO_SUCH_SECRET"\n{ALONE}')
    assert result.exit_code == 1
    assert "NO_SUCH_SECRET" in result.stdout


def test_a_table_of_a_stage_that_makes_no_sense_is_told_with_its_line(run: Run) -> None:
    result = run(f'{ALONE}[reflex.pii]\nactoin = "block"')
    assert result.exit_code == 1
    assert "stormproof.toml:4: there is no such key; did you mean 'action'?" in result.stderr


def test_a_database_that_cannot_be_used_is_told(run: Run, tmp_path: Path) -> None:
    result = run(f'[reflex]\ndatabase = "sqlite:///{tmp_path}/no/folder/keys.db"\n{ALONE}')
    assert result.exit_code == 1
    assert "database" in result.stdout
    assert run(f'[reflex]\ndatabase = "sqlite:///{tmp_path}/keys.db"\n{ALONE}').exit_code == 0
