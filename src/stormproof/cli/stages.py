"""Whether the stages in front of the models can be made here."""

import os
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from stormproof.errors import ConfigurationError, StormproofError

if TYPE_CHECKING:
    from stormproof.providers import Finding, LadderBuilder, ModelsFile
    from stormproof.reflex.settings import ReflexTables


def check_stages(
    tables: "ReflexTables | None", models: "ModelsFile", builder: "LadderBuilder"
) -> "list[Finding]":
    """Make every stage that the settings name; a library, secret, file or model may be missing.

    Args:
        tables: What they say of stages, if anything.
        models: What they say of models.
        builder: Makes those who embed.
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
        stages = lines.of("", Caller()).stages
        found.note = f"requests pass: {', '.join(stage.name for stage in stages)}"
    except StormproofError as error:
        found.error = error
    found.known = True if found.error is None else None
    found.seconds = perf_counter() - began
    return [found]


def check_database(file: Path, models: "ModelsFile") -> "list[Finding]":
    """Open the database with keys and usage, if there is one.

    Args:
        file: The settings.
        models: What they say of models.
    """
    from stormproof.providers import Finding  # noqa: PLC0415 - heavy
    from stormproof.reflex.settings import read_database  # noqa: PLC0415

    url = read_database(file, os.environ).url
    if url is None:
        return []
    found, began = Finding("database", [*models.models, *models.embeddings]), perf_counter()
    try:
        from stormproof.reflex.sql.database import Database  # noqa: PLC0415 - an extra

        Database(url).close()
    except ModuleNotFoundError as error:
        found.error = ConfigurationError(setting="reflex.database", reason=error.msg)
    except StormproofError as error:
        found.error = error
    found.reached = found.error is None
    found.seconds = perf_counter() - began
    return [found]
