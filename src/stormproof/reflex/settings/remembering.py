"""Answers for the rungs that give them again."""

from stormproof.providers import ModelsFile
from stormproof.providers.settings.schema import CachedRung
from stormproof.reflex.settings.tables import CacheTable, ReflexTables, SpecialTables


def remembering(tables: ReflexTables, models: ModelsFile) -> ReflexTables:
    """Return settings by which the answers are kept that models have rungs for.

    Stages keep answers apart by whose they are, and know which are private; ladders behind them
    keep none. Where a model has no cache before it, but a rung that gives answers again, one keeps
    them for that alone.

    Args:
        tables: The settings.
        models: Who may answer for which model.
    """
    special = dict(tables.models)
    for name, ladder in models.models.items():
        own = special.get(name, SpecialTables())
        cache = own.over(tables).cache
        rung = next((one for one in ladder.rungs if isinstance(one, CachedRung)), None)
        if rung and not (cache and cache.enabled):
            special[name] = own.model_copy(update={"cache": _only_old(rung)})
    return tables.model_copy(update={"models": special}) if special else tables


def _only_old(rung: CachedRung) -> CacheTable:
    return CacheTable(
        max_bytes=rung.max_bytes,
        chat=0.0,
        completion=0.0,
        tool_calls=0.0,
        stale=rung.max_age,
        patience=0.0,
    )
