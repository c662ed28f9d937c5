"""Caches, as the settings say."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from stormproof.errors import ConfigurationError
from stormproof.providers import (
    Candidate,
    EmbeddingLadder,
    EmbeddingRequest,
    Embeddings,
    Kept,
    Usage,
)
from stormproof.reflex import Caller, Stage
from stormproof.reflex.cache import CacheStage
from stormproof.reflex.settings import LineBuilder, ReflexTables
from support.kept_answers import House, answer, asked
from support.permissions import modes_count
from support.redis_server import RedisServer

SECRET = {"SECRET": "a secret of some length"}


class Builder:
    """Makes the stages of a line that settings describe, as one process does after another."""

    def __init__(
        self, environment: Mapping[str, str] = SECRET, *, kept: Kept | None = None
    ) -> None:
        self._kept = kept or Kept()
        self._environment = environment

    def stages(
        self,
        tables: dict[str, Any],
        *,
        caller: Caller = Caller(),  # noqa: B008 - immutable
        embeddings: Mapping[str, EmbeddingLadder] | None = None,
    ) -> list[Stage]:
        made = LineBuilder(self._kept, self._environment, embeddings=embeddings or {})
        line = made.lines(ReflexTables.model_validate(tables)).of("m", caller)
        return [*line.stages]


async def calls(*houses: list[Stage]) -> int:
    """Return how often models are asked when the same is asked in each house."""
    asked = [House(stages) for stages in houses]
    for house in asked:
        await house.ask()
    return sum(house.calls for house in asked)


async def test_by_default_answers_are_in_the_memory_of_the_process() -> None:
    stages = Builder().stages({"cache": {}})
    assert [stage.name for stage in stages] == ["validate", "cache"]
    assert await calls(stages, stages) == 1
    assert await calls(stages, Builder().stages({"cache": {}})) == 1


async def test_they_outlast_a_change_of_the_settings() -> None:
    """Of those that concern the stage alone."""
    builder = Builder()
    before = builder.stages({"cache": {"patience": 1.0}})
    assert await calls(before, builder.stages({"cache": {"patience": 2.0}})) == 1


async def test_they_do_not_outlast_a_change_of_what_guards_answers() -> None:
    """Nor does a key find what was answered to another with other guards."""
    builder = Builder()
    tables = {"cache": {}, "keys": {"bob": {"validate": {"max_messages": 3}}}}
    of_bob = builder.stages(tables, caller=Caller(key="bob"))
    assert await calls(builder.stages(tables), of_bob) == 2


def test_in_a_file_they_outlast_the_process(tmp_path: Path) -> None:
    """With the secret beside it; both only their owner may read."""
    tables = {"cache": {"file": str(tmp_path / "answers")}}
    assert [asyncio.run(calls(Builder().stages(tables))) for _ in range(2)] == [1, 0]
    assert (tmp_path / "answers.secret").exists()
    assert not list(tmp_path.glob("*.lock"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


async def test_processes_share_them_through_redis(redis: RedisServer) -> None:
    environment = {"SECRET": str(uuid4()), "URL": redis.url}
    tables = {"cache": {"url_env": "URL", "secret_env": "SECRET"}}
    assert await calls(*(Builder(environment).stages(tables) for _ in range(3))) == 1


@pytest.mark.parametrize(
    ("table", "environment", "told"),
    [
        ({"url_env": "URL"}, {"URL": "redis://localhost"}, "secret_env"),
        ({"url_env": "URL", "secret_env": "SECRET"}, SECRET, "URL is empty"),
        ({"url_env": "URL", "secret_env": "SECRET"}, {**SECRET, "URL": "x"}, "URL is no URL"),
        ({"secret_env": "SECRET"}, {"SECRET": "short"}, "SECRET holds fewer"),
        ({"file": "/proc/nowhere/answers"}, {}, "cannot be"),
    ],
)
def test_what_cannot_be_is_told(
    table: dict[str, Any], environment: dict[str, str], told: str
) -> None:
    """By the names of variables and files, and never by what is in them."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        Builder(environment).stages({"cache": table})
    assert "/proc" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "of_folder", "told"),
    [(0o400, 0o700, "answers cannot be opened: .*readonly"), (0o600, 0o500, "Permission denied")],
)
def test_a_file_that_can_only_be_read_is_told_at_once(
    tmp_path: Path, mode: int, of_folder: int, told: str
) -> None:
    """Else every answer would be looked up in vain."""
    tables = {"cache": {"file": str(tmp_path / "answers")}}
    asyncio.run(calls(Builder().stages(tables)))
    (tmp_path / "answers").chmod(mode)
    tmp_path.chmod(of_folder)
    with modes_count(), pytest.raises(ConfigurationError, match=told):
        Builder().stages(tables)
    tmp_path.chmod(0o700)


def test_who_wants_similar_answers_says_where_they_are_kept() -> None:
    with pytest.raises(ConfigurationError, match=r"reflex\.cache"):
        Builder().stages({"similar": {"embeddings": "e"}})


async def test_questions_that_mean_the_same_are_found_by_an_embedding_model() -> None:
    """One that clients may ask, too; while it is missing, the stage is passed."""

    async def embed(request: EmbeddingRequest) -> Embeddings:
        texts = [str(text) for text in request.texts]
        return Embeddings(
            [[float(text.lower().count(c)) for c in "aeiou"] for text in texts], Usage()
        )

    ladder = EmbeddingLadder("e", [Candidate("e", embed)])
    tables = {"cache": {}, "similar": {"embeddings": "e"}}
    stages = Builder().stages(tables, embeddings={"e": ladder})
    assert [stage.name for stage in stages] == ["validate", "cache", "similar"]
    house = House(stages, answer("Hello"))
    for text in ("How are you?", "how are you"):
        await house.ask(asked(text))
    assert house.calls == 1
    missing = House([one for one in Builder().stages(tables) if isinstance(one, CacheStage)])
    assert await missing.ask() == "Hello"
