"""Keys and usage in a database, as a real server keeps them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx2
import pytest

from stormproof.reflex import LimitSettings
from stormproof.reflex.keys import Key, KeyScope, digest_of
from stormproof.reflex.pii.pseudonyms import is_pseudonym
from stormproof.reflex.sql import By, Database, KeyTable, UsageSum, UsageTable
from stormproof.testing.provider import Answer, ScriptedProvider
from support.background_provider import background_provider
from support.serving import Server, running

SECRET = "sp-" + "k" * 43


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with background_provider() as provider:
        yield provider


@pytest.fixture
def settings(provider: ScriptedProvider, tmp_path: Path) -> Path:
    """A file that names two models of one provider, whose tokens cost something."""
    target = provider.target("usage", Answer(tokens=7))
    rungs = '[{ provider = "p", model = "m", price = { input = 1.0, output = 2.0 } }]'
    file = tmp_path / "stormproof.toml"
    file.write_text(
        f'[providers.p]\npreset = "openai-compatible"\nurl = "{target.url}"\n'
        f"[models.chat]\nrungs = {rungs}\n[models.other]\nrungs = {rungs}\n"
    )
    return file


def add(url: str, **fields: object) -> None:
    database = Database(url)
    usual = {"name": "ci", "digest": digest_of(SECRET), "created": 0.0, "tenant": "ours"}
    KeyTable(database).add(Key(**{**usual, **fields}))  # type: ignore[arg-type]
    database.close()


def ask(server: Server, user: str, *, model: str = "chat", stream: bool = False) -> httpx2.Response:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"I am {user}"}],
        "user": user,
        "stream": stream,
        "max_tokens": 7,
        "stream_options": {"include_usage": True} if stream else None,
    }
    headers = {"authorization": f"Bearer {SECRET}"}
    url = f"{server.url}/v1/chat/completions"
    return httpx2.post(url, json=body, headers=headers, timeout=60)


def usage_of(response: httpx2.Response) -> Mapping[str, int] | None:
    """Return the tokens of an answer that has its end."""
    if not response.text.startswith("data: "):
        return response.json()["usage"]  # type: ignore[no-any-return]
    if "data: [DONE]" not in response.text:
        return None
    events = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
    return json.loads(events[-1])["usage"]  # type: ignore[no-any-return]


class Clients:
    """Four that ask until the server is gone, two of them for streams.

    Attributes:
        seen: What the answers that ended have taken, by user; each asks once.
        enough: Set once there are some.
    """

    def __init__(self, server: Server) -> None:
        self.seen: dict[str, Mapping[str, int]] = {}
        self.enough = threading.Event()
        self._server = server
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        with suppress(httpx2.HTTPError):
            for place in count():
                user = f"u{number}.{place}"
                if usage := usage_of(ask(self._server, user, stream=number % 2 == 0)):
                    self.seen[user] = usage
                if len(self.seen) > 60:
                    self.enough.set()


def test_what_was_used_adds_up_although_the_server_was_killed(
    tmp_path: Path, settings: Path
) -> None:
    """For every request whose answer ended, whole or streamed; none counts twice."""
    url = f"sqlite:///{tmp_path}/x.db"
    add(url)
    environ = {"STORMPROOF_DATABASE_URL": url}
    with running("--config", str(settings), **environ) as server:
        clients = Clients(server)
        clients.enough.wait()
        server.process.kill()
        clients.join()
    with running("--config", str(settings), **environ) as server:
        seen = {**clients.seen, "after": ask(server, "after").json()["usage"]}
        assert server.terminate() == 0
    journals = tmp_path / "x.db.journals"
    assert {*tmp_path.iterdir()} == {settings, tmp_path / "x.db", journals}
    assert list(journals.iterdir()) == []
    database = Database(url)
    found = {one.name: one for one in UsageTable(database).sums(By.USER, 0.0)}
    database.close()
    for user, usage in seen.items():
        prompt, answer = usage["prompt_tokens"], usage["completion_tokens"]
        cost = (prompt + 2 * answer) * 1000
        assert found[user] == UsageSum(user, 1, 0, prompt, 0, 0, answer, 0, cost)


def test_a_key_opens_what_it_is_for_until_it_is_revoked(tmp_path: Path, settings: Path) -> None:
    """Within a second, in every worker."""
    url = f"sqlite:///{tmp_path}/x.db"
    add(url, models=("cha*",), scopes=frozenset({KeyScope.CHAT}))
    environ = {"STORMPROOF_DATABASE_URL": url}
    with running("--config", str(settings), "--workers", "2", **environ) as server:
        assert ask(server, "u").status_code == 200
        assert ask(server, "u", model="other").status_code == 403
        database = Database(url)
        KeyTable(database).revoke("ci", 1.0)
        database.close()
        while (response := ask(server, "u")).status_code == 200:
            pass
        assert response.json()["error"]["message"].endswith("the key is revoked")


def test_a_key_is_told_only_of_the_models_that_it_opens(tmp_path: Path, settings: Path) -> None:
    """Others are not there, also where one is asked that does not exist; the holder is no guest."""
    url = f"sqlite:///{tmp_path}/x.db"
    add(url, models=("cha*",), scopes=frozenset({KeyScope.CHAT}))
    with settings.open("a") as file:
        file.write('[embeddings.chat-vectors]\nrungs = [{ provider = "p", model = "m" }]\n')
    with running("--config", str(settings), STORMPROOF_DATABASE_URL=url) as server:
        models, headers = f"{server.url}/v1/models", {"authorization": f"Bearer {SECRET}"}
        listed = httpx2.get(models, headers=headers).json()["data"]
        assert [card["id"] for card in listed] == ["chat"]
        assert httpx2.get(f"{models}/chat", headers=headers).status_code == 200
        for name in ("other", "chat-vectors"):
            assert httpx2.get(f"{models}/{name}", headers=headers).status_code == 404
        unknown = ask(server, "u", model="none")
        assert (unknown.status_code, unknown.json()["error"]["details"]["available"]) == (
            404,
            ["chat"],
        )
        embedded = httpx2.post(
            f"{server.url}/v1/embeddings", json={"model": "none", "input": "a"}, headers=headers
        )
        assert embedded.json()["error"]["details"]["available"] == []
        assert httpx2.get(models).status_code == 401


def test_a_user_with_a_personal_name_is_counted_under_another(
    tmp_path: Path, settings: Path
) -> None:
    """However he is told, in private calls and others, and after the server was started again."""
    url, person = f"sqlite:///{tmp_path}/x.db", "ann@example.com"
    add(url)
    with settings.open("a") as file:
        file.write("[reflex.pii]\n")
    for _ in range(2):
        with running("--config", str(settings), STORMPROOF_DATABASE_URL=url) as server:
            assert ask(server, person).status_code == 200
            headers = {"authorization": f"Bearer {SECRET}", "x-stormproof-user": person}
            body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
            path = f"{server.url}/v1/chat/completions"
            assert httpx2.post(path, json=body, headers=headers, timeout=60).status_code == 200
            assert server.terminate() == 0
    database = Database(url)
    [found] = UsageTable(database).sums(By.USER, 0.0)
    database.close()
    assert found.requests == 4
    assert is_pseudonym(found.name)
    assert not [
        file.name
        for file in tmp_path.rglob("*")
        if file.is_file() and file != settings and person.encode() in file.read_bytes()
    ]


def test_what_a_key_may_spend_is_spent_although_the_server_was_killed(
    tmp_path: Path, settings: Path
) -> None:
    """Nobody gets more by that."""
    url = f"sqlite:///{tmp_path}/x.db"
    add(url, limits=LimitSettings(money_per_day=0.000_1))
    environ = {"STORMPROOF_DATABASE_URL": url}
    with running("--config", str(settings), **environ) as server:
        answers = list(iter(lambda: ask(server, "u").status_code, 429))
        server.process.kill()
    with running("--config", str(settings), **environ) as server:
        refused = ask(server, "u")
    assert set(answers) == {200}
    assert refused.json()["error"]["code"] == "BUDGET_EXCEEDED"


def test_without_a_database_its_library_is_not_there(settings: Path) -> None:
    """Nor needed."""
    code = "import sys, stormproof.gateway, stormproof.cli.main; print('sqlalchemy' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, env=environ, text=True).strip() == "False"
