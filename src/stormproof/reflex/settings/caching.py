"""Caches, as the settings say."""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from stormproof.errors import ConfigurationError, ServiceUnavailable, ValidationErrors
from stormproof.providers import EmbeddingLadder, EmbeddingRequest, Journey, Kept
from stormproof.reflex.cache import (
    AnswerStore,
    CacheStage,
    KnownAnswers,
    Lifetimes,
    MemoryAnswers,
    SqliteAnswers,
)
from stormproof.reflex.kept_secret import SECRET_BYTES, secret_beside
from stormproof.reflex.settings.secret import secret_in
from stormproof.reflex.settings.tables import CacheTable, SimilarTable, StageTables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stormproof.reflex.cache.similar import Embedded, SimilarStage

_SETTING: Final = "reflex.cache"
_OF_THE_STAGE: Final = frozenset({"enabled", "on_failure", "max_temperature", "patience"})
"""Fields that say nothing of where answers are kept, and for how long."""

_OF_NO_ANSWER: Final = frozenset({"cache", "similar", "limits", "budget", "models", "keys"})
"""Tables that say nothing of what is in an answer."""


def guard_of(tables: StageTables) -> str:
    """Return what tells whether answers were given under the same settings."""
    described = tables.model_dump_json(exclude=set(_OF_NO_ANSWER))
    return blake2b(described.encode(), digest_size=16).hexdigest()


class CacheBuilder:
    """Makes the stages that answer what was answered before.

    Args:
        kept: What other builders have made; stages whose answers lie in one place share them.
        environment: Where the variables with secrets are.
        embeddings: Who embeds, by the names of models.
    """

    def __init__(
        self,
        kept: Kept,
        environment: Mapping[str, str],
        embeddings: Mapping[str, EmbeddingLadder],
    ) -> None:
        self._kept = kept
        self._environment = environment
        self._embeddings = embeddings

    def exact(self, guard: str, table: CacheTable) -> CacheStage:
        """Return the stage for the same request.

        Raises:
            ConfigurationError: Its store cannot be opened, or has no secret.
        """
        return CacheStage(
            self._known(table),
            guard=guard,
            max_temperature=table.max_temperature,
            patience=table.patience,
        )

    def similar(self, guard: str, cache: CacheTable | None, table: SimilarTable) -> "SimilarStage":
        """Return the stage for questions that mean the same.

        Raises:
            ConfigurationError: It is not said where answers are kept.
        """
        from stormproof.reflex.cache.similar import SimilarStage  # noqa: PLC0415 - needs numpy

        if cache is None or not cache.enabled:
            raise ConfigurationError(setting="reflex.similar", reason=f"needs a table [{_SETTING}]")
        return SimilarStage(
            self._known(cache),
            _LadderEmbedder(table.embeddings, self._embeddings),
            guard=guard,
            threshold=table.threshold,
            most=table.most,
        )

    def _known(self, table: CacheTable) -> KnownAnswers:
        described = table.model_dump_json(exclude=set(_OF_THE_STAGE))
        return self._kept.one(partial(self._open, table), "answers", described)

    def _open(self, table: CacheTable) -> KnownAnswers:
        lifetimes = Lifetimes(
            chat=table.chat,
            completion=table.completion,
            tool_calls=table.tool_calls,
            similar=table.similar,
            stale=table.stale,
        )
        try:
            return KnownAnswers(self._store(table), secret=self._secret(table), lifetimes=lifetimes)
        except ValidationErrors:
            reason = f"{table.secret_env} holds fewer than 16 bytes"
            raise ConfigurationError(setting=_SETTING, reason=reason) from None

    def _store(self, table: CacheTable) -> AnswerStore | MemoryAnswers:
        if table.url_env is not None:
            return self._redis(table.url_env)
        if table.file is None:
            return MemoryAnswers(max_bytes=table.max_bytes)
        try:
            return SqliteAnswers(table.file, max_bytes=table.max_bytes)
        except (OSError, sqlite3.Error) as error:
            reason = f"{table.file.name} cannot be opened: {_why(error)}"
            raise ConfigurationError(setting=_SETTING, reason=reason) from error

    def _redis(self, variable: str) -> AnswerStore:
        from stormproof.reflex.cache.redis import RedisAnswers  # noqa: PLC0415 - an extra

        url = secret_in(self._environment, variable, _SETTING).decode()
        try:
            return RedisAnswers(url)
        except ValidationErrors:
            reason = f"{variable} is no URL of a Redis server"
            raise ConfigurationError(setting=_SETTING, reason=reason) from None

    def _secret(self, table: CacheTable) -> bytes:
        if table.secret_env is not None:
            return secret_in(self._environment, table.secret_env, _SETTING)
        if table.url_env is not None:
            reason = "who shares answers through Redis needs the same secret: name secret_env"
            raise ConfigurationError(setting=_SETTING, reason=reason)
        if table.file is not None:
            return secret_beside(table.file, _SETTING)
        return secrets.token_bytes(SECRET_BYTES)


class _Vector(NamedTuple):
    vector: "npt.NDArray[np.float32]"


class _LadderEmbedder:
    """Has texts embedded by who embeds for clients; a `TextEmbedder`.

    Args:
        name: What clients call the model.
        ladders: Who embeds, by the names of models.
    """

    def __init__(self, name: str, ladders: Mapping[str, EmbeddingLadder]) -> None:
        self._name = name
        self._ladders = ladders

    async def embed(self, texts: Sequence[str], /) -> "Sequence[Embedded]":
        """Embed texts.

        Raises:
            StormproofError: There are no vectors.
        """
        import numpy as np  # noqa: PLC0415 - heavy

        ladder = self._ladders.get(self._name)
        if ladder is None:
            raise ServiceUnavailable(reason=f"there is no embedding model {self._name!r}")
        request = EmbeddingRequest({"model": self._name, "input": list(texts)})
        found = await ladder.embed(request, Journey())
        return [_Vector(np.asarray(vector, np.float32)) for vector in found.vectors]


def _why(error: OSError | sqlite3.Error) -> str:
    """Return what the system or SQLite says, which names no path."""
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__
