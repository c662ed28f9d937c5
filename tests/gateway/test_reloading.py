"""A changed file is served once it is whole; a broken one changes nothing, and is reported."""

import logging
import os
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from stormproof.errors import ConfigurationError, StormproofError
from stormproof.gateway.lifecycle import Lifecycle, SettingsState
from stormproof.gateway.reloading import Reloader
from stormproof.gateway.served_models import ServedModels
from stormproof.gateway.settings import Settings, load_settings
from stormproof.providers import (
    ChatRequest,
    EmbeddingRequest,
    Embeddings,
    FixedAnswer,
    HttpClient,
    Journey,
    Ladder,
)
from stormproof.recovery import CircuitState
from stormproof.signals import Metrics


class House:
    """A server's settings in a file, and what becomes of changes."""

    def __init__(self, folder: Path, text: str, *, engine: bool = False, becomes: str = "") -> None:
        self.file = folder / "stormproof.toml"
        self.file.write_text(text)
        self.load = partial(load_settings, {"config": str(self.file)})
        self.served = ServedModels(self.load(), self._load_now, HttpClient(), {})
        if becomes:
            self.file.write_text(becomes)
        self.ladders = self.served.begin(FixedAnswer("engine") if engine else None)
        self.lifecycle = Lifecycle(None, drain_timeout=1)
        self.registry = CollectorRegistry()
        self.reloader = Reloader(self.served, self.lifecycle, self.registry)

    def _load_now(self) -> Settings:
        return self.load()

    @property
    def state(self) -> SettingsState:
        return self.lifecycle.settings

    def reloads(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.registry.get_sample_value("stormproof_settings_reloads_total", labels) or 0.0

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.reloader.look()

    async def becomes(self, text: str) -> None:
        self.file.write_text(text)
        await self.look()


def model(name: str, answer: str = "Hello") -> str:
    return f'[models.{name}]\nrungs = [{{ answer = "{answer}" }}]\n'


Make = Callable[..., House]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return partial(House, tmp_path)


async def test_a_changed_file_is_served(make: Make) -> None:
    house = make(model("a"))
    await house.becomes(model("b"))
    assert list(house.ladders) == ["b"]
    assert (house.state, house.reloads("applied")) == (SettingsState.CURRENT, 1)


async def test_so_are_embedding_models(make: Make) -> None:
    """But one of this process has to be loaded at its start."""
    hosted = '[embeddings.e]\nrungs = [{ provider = "ollama", model = "x" }]'
    house = make(model("a"))
    house.served.host({})
    await house.becomes(hosted)
    before = house.served.embeddings["e"]
    assert (list(house.ladders), house.state) == ([], SettingsState.CURRENT)
    await house.becomes('[embeddings.e]\nrungs = [{ embedder = "minilm" }]')
    assert house.state is SettingsState.REFUSED
    assert house.served.embeddings == {"e": before}


async def test_looks_that_see_nothing_new_are_no_reloads(make: Make) -> None:
    house = make(model("a"))
    before = house.ladders["a"]
    await house.look(5)
    assert house.ladders["a"] is before
    assert (house.reloads("applied"), house.reloads("refused")) == (0, 0)


async def test_a_file_that_is_being_written_is_left_alone(make: Make) -> None:
    """Until two looks in a row have seen the same."""
    house = make(model("a"))
    for text in ("", "[mod", model("b"), model("c")):
        house.file.write_text(text)
        await house.look(1)
    assert list(house.ladders) == ["a"]
    await house.look(1)
    assert (list(house.ladders), house.reloads("refused")) == (["c"], 0)


async def test_one_that_is_what_it_was_is_not_read_again(make: Make) -> None:
    house = make(model("a"))
    for text in (model("b"), model("a"), model("a")):
        house.file.write_text(text)
        await house.look(1)
    assert house.reloads("applied") == 0


async def test_who_asks_is_told_that_it_was_done(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    house = make(model("a"))
    house.reloader.ask()
    with caplog.at_level(logging.INFO):
        await house.look(1)
    assert house.reloads("applied") == 1
    assert "settings reloaded" in caplog.messages


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("[models.a]\nrugns = 1", "stormproof.toml:2: there is no such key; did you mean 'rungs'?"),
        ("[", "not TOML"),
        ("", "stormproof.toml names no model"),
        (f"{model('a')}[serve]\nprot = 1", "prot"),
        ('[models.a]\nrungs = [{ provider = "openai", model = "x" }]', "OPENAI_API_KEY"),
        ("[models.a]\nrungs = [{ engine = true }]", "none runs"),
    ],
)
async def test_a_broken_file_changes_nothing_and_is_reported_once(
    make: Make, caplog: pytest.LogCaptureFixture, broken: str, told: str
) -> None:
    """With what is wrong and where."""
    house = make(model("a"))
    before = house.ladders["a"]
    await house.becomes(broken)
    await house.look(3)
    assert dict(house.ladders) == {"a": before}
    assert (house.state, house.reloads("refused")) == (SettingsState.REFUSED, 1)
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert told in record.__dict__["error"]
    assert house.registry.get_sample_value("stormproof_settings_state") == 2
    house.lifecycle.check_alive()
    house.lifecycle.check_ready()


async def test_a_file_put_right_is_served_again(make: Make) -> None:
    """Also if it is what it was before it was broken."""
    house = make(model("a"))
    await house.look()
    await house.becomes("[")
    await house.becomes(model("a"))
    assert (house.state, house.reloads("applied")) == (SettingsState.CURRENT, 1)


async def test_a_file_that_vanishes_is_broken(make: Make) -> None:
    house = make(model("a"))
    house.file.unlink()
    await house.look()
    assert (list(house.ladders), house.state) == (["a"], SettingsState.REFUSED)


async def test_what_cannot_be_reloaded_is_said(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The models of the same file are."""
    house = make(model("a"))
    await house.becomes(f"{model('b')}[serve]\nport = 9999\nmax_choices = 2")
    assert list(house.ladders) == ["b"]
    assert house.state is SettingsState.RESTART_NEEDED
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.__dict__["settings"] == ["port", "max_choices"]


async def test_another_database_is_one_of_those(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys and usage stay where they were."""
    house = make(model("a"))
    await house.becomes(f'{model("a")}[reflex]\ndatabase = "sqlite:///other.db"')
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.__dict__["settings"] == ["reflex.database"]


async def test_another_key_in_its_file_is_used(make: Make, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k-1")
    text = f'[providers.openai]\nkey_file = "{key}"\n'
    house = make(f'{text}[models.a]\nrungs = [{{ provider = "openai", model = "x" }}]')
    before = house.ladders["a"]
    await house.look()
    key.write_text("k-2")
    await house.look()
    assert house.ladders["a"] is not before


async def test_a_key_that_comes_later_than_its_settings_is_found(
    make: Make, tmp_path: Path
) -> None:
    """The file is broken until then, which is reported once."""
    key = tmp_path / "key"
    house = make(model("a"))
    text = f'[providers.openai]\nkey_file = "{key}"\n'
    await house.becomes(f'{text}[models.b]\nrungs = [{{ provider = "openai", model = "x" }}]')
    await house.look(3)
    assert (house.state, house.reloads("refused")) == (SettingsState.REFUSED, 1)
    key.write_text("k-1")
    await house.look()
    assert (list(house.ladders), house.state) == (["b"], SettingsState.CURRENT)


async def test_what_changed_while_the_server_was_starting_is_served(make: Make) -> None:
    """An engine may take minutes to load."""
    house = make(model("a"), becomes=model("b"))
    assert list(house.ladders) == ["a"]
    await house.look()
    assert list(house.ladders) == ["b"]


async def test_the_last_model_may_go_where_an_engine_answers_as_well(make: Make) -> None:
    house = make(model("a"), engine=True)
    await house.becomes("")
    assert (dict(house.ladders), house.state) == ({}, SettingsState.CURRENT)


DOWN = """
[providers.house]
preset = "openai-compatible"
url = "http://127.0.0.1:{port}/v1"
[models.{name}]
rungs = [{{ provider = "house", model = "m", weight = {weight} }}]
"""


@pytest.mark.parametrize(
    ("port", "name", "weight", "state"), [(1, "a", 2, 2), (2, "a", 1, 0), (1, "b", 1, 2)]
)
async def test_a_circuit_is_shown_open_as_long_as_it_is_one_of_ours(
    make: Make, *, port: int, name: str, weight: int, state: int
) -> None:
    """Nobody is woken for a provider that is asked at another address by now."""
    house = make(DOWN.format(port=1, name="a", weight=1))
    with closing(Metrics(CollectorRegistry())) as metrics:
        await fail(house.ladders["a"])
        await house.becomes(DOWN.format(port=port, name=name, weight=weight))
        circuit = {"circuit": "house/m"}
        assert metrics.registry.get_sample_value("stormproof_circuit_state", circuit) == state


async def test_a_circuit_of_a_provider_that_is_gone_is_shown_closed(make: Make) -> None:
    house = make(DOWN.format(port=1, name="a", weight=1))
    with closing(Metrics(CollectorRegistry())) as metrics:
        await fail(house.ladders["a"])
        await house.becomes(model("b"))
        circuit = {"circuit": "house/m"}
        assert metrics.registry.get_sample_value("stormproof_circuit_state", circuit) == 0


async def fail(ladder: Ladder) -> None:
    """Ask somebody who is down until he is left alone."""
    request = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    for _ in range(9):
        with suppress(StormproofError):
            await ladder.complete(request, Journey())
    [health] = ladder.health()
    assert health.state is CircuitState.OPEN


EMBEDDINGS = """
[embeddings.{}]
rungs = [{{ embedder = "minilm" }}]
"""


class Vectors:
    """An embedding model that is loaded."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        raise NotImplementedError


async def test_embedding_models_are_served_anew_as_well(make: Make) -> None:
    house = make(model("a") + EMBEDDINGS.format("v"))
    embeddings = house.served.host({"minilm": Vectors()})
    await house.becomes(model("a") + EMBEDDINGS.format("w"))
    assert (list(embeddings), list(house.ladders)) == (["w"], ["a"])


async def test_an_embedding_model_that_is_not_loaded_needs_a_restart(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    house = make(model("a"))
    await house.becomes(model("b") + EMBEDDINGS.format("v"))
    assert (list(house.ladders), house.state) == (["a"], SettingsState.REFUSED)
    assert "was not loaded when the process started" in str(vars(caplog.records[-1]))


async def test_a_mistake_of_ours_does_not_end_the_looking(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = make(model("a"))
    with monkeypatch.context() as patch:
        patch.setattr(house, "load", lambda: 1 / 0)
        await house.becomes(model("c"))
        await house.look(3)
    assert (house.state, house.reloads("refused")) == (SettingsState.REFUSED, 1)
    assert "ZeroDivisionError" in caplog.text
    await house.becomes(model("b"))
    assert list(house.ladders) == ["b"]


def test_a_file_that_nobody_named_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come later."""
    monkeypatch.chdir(tmp_path)
    load = partial(load_settings, {"model": "smollm2"})
    served = ServedModels(load(), load, HttpClient(), os.environ)
    assert served.models.models == {}
    (tmp_path / "stormproof.toml").write_text(model("a"))
    served.put(served.find())
    assert list(served.ladders) == ["a"]


async def test_stages_for_a_model_that_there_is_not_are_refused(make: Make) -> None:
    """They would be in force for none; the model of this process is one."""
    house = make(f"{model('chat')}[reflex.models.smollm2.validate]\nmax_tools = 1\n")
    house.file.write_text(f"{model('chat')}[reflex.models.chta.validate]\nmax_tools = 1\n")
    with pytest.raises(ConfigurationError, match="no model 'chta'; did you mean 'chat'"):
        house.served.find()
