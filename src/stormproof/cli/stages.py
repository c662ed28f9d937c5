"""Whether the stages in front of the models can be made here."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from stormproof.errors import ConfigurationError, StormproofError

if TYPE_CHECKING:
    from stormproof.providers import Finding, LadderBuilder, ModelsFile
    from stormproof.reflex.settings import ReflexTables

_BOUNDS: Final = ("limits", "budget")
"""Stages that know what was used before."""


def check_stages(
    tables: "ReflexTables | None", models: "ModelsFile", builder: "LadderBuilder", *, workers: int
) -> "list[Finding]":
    """Make every stage that the settings name; a library, secret, file or model may be missing.

    Args:
        tables: What they say of stages, if anything.
        models: What they say of models.
        builder: Makes those who embed.
        workers: How many processes answer.
    """
    from stormproof.providers import Finding, Kept  # noqa: PLC0415 - heavy
    from stormproof.reflex import Caller  # noqa: PLC0415
    from stormproof.reflex.settings import LineBuilder  # noqa: PLC0415

    if tables is None:
        return []
    found, began = Finding("reflex", [*models.models, *models.embeddings]), perf_counter()
    try:
        embeddings = builder.embedding_ladders() if tables.similar else {}
        lines = LineBuilder(Kept(), os.environ, models=models, embeddings=embeddings).lines(tables)
        stages = [stage.name for stage in lines.of("", Caller()).stages]
        bounds = [name for name in _BOUNDS if name in stages]
        notes = [
            f"requests pass: {', '.join(stages)}",
            _unshared(bounds, models, workers),
            _unknown(tables, models),
        ]
        found.note = "; ".join(filter(None, notes))
    except StormproofError as error:
        found.error = error
    found.known = True if found.error is None else None
    found.seconds = perf_counter() - began
    return [found]


def check_database(file: Path, models: "ModelsFile", *, workers: int) -> "list[Finding]":
    """Open the database with keys and usage, if there is one.

    Args:
        file: The settings.
        models: What they say of models.
        workers: How many processes answer.
    """
    from stormproof.providers import Finding  # noqa: PLC0415 - heavy
    from stormproof.reflex.settings import read_database  # noqa: PLC0415

    url = read_database(file, os.environ).url
    if url is None:
        return []
    found, began = Finding("database", [*models.models, *models.embeddings]), perf_counter()
    try:
        from stormproof.reflex.sql import Database, KeyTable  # noqa: PLC0415 - an extra

        database = Database(url)
        try:
            keys = KeyTable(database).keys()
        finally:
            database.close()
        limited = any(key.limits for key in keys if key.revoked is None)
        found.note = _unshared(["limits of keys"] if limited else [], models, workers)
    except ModuleNotFoundError as error:
        found.error = ConfigurationError(setting="reflex.database", reason=error.msg)
    except StormproofError as error:
        found.error = error
    found.reached = found.error is None
    found.seconds = perf_counter() - began
    return [found]


def _unshared(bounds: Sequence[str], models: "ModelsFile", workers: int) -> str:
    """Say that each process keeps some bounds for itself; nothing where they share them.

    Args:
        bounds: What they are called.
        models: What the settings say of sharing.
        workers: How many processes answer.
    """
    if not bounds or workers == 1 or models.redis is not None:
        return ""
    what = " and ".join(bounds)
    return f"{what}: each of the {workers} workers for itself, unless a table [redis] is there"


def _unknown(tables: "ReflexTables", models: "ModelsFile") -> str:
    """Say that machines which share limits do not know users by the same names, if that is so."""
    personal = tables.pii and tables.pii.enabled and not tables.pii.key_env
    if not (personal and models.redis and tables.limits and tables.limits.user):
        return ""
    return "users with personal names: each machine for itself, unless [reflex.pii] has a key_env"
