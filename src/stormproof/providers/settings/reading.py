"""Reading ``stormproof.toml``: everything that is wrong is named, with its line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from stormproof.providers.settings.document import read_document
from stormproof.providers.settings.faults import Fault, Place, misfits, nearest, refusal
from stormproof.providers.settings.hosts import EMBEDDING_RUNGS, EmbeddingSettings
from stormproof.providers.settings.presets import presets, provider_settings
from stormproof.providers.settings.price import PriceSettings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import (
    RUNGS,
    AnswerRung,
    LadderSettings,
    ModelsFile,
    ProviderSettings,
    RedisSettings,
)

if TYPE_CHECKING:
    from stormproof.providers.settings.tables import Table

_OTHERS: Final = frozenset({"serve", "reflex"})
"""Tables of the file that others read."""


def read_models(file: Path) -> ModelsFile:
    """Read what a file says of models.

    Raises:
        ConfigurationError: It is not TOML, or what it says makes no sense; everything that is
            wrong is named with its line.
        StorageError: It cannot be read.
    """
    text, document = read_document(file)
    tables = {name: table for name, table in document.items() if name not in _OTHERS}
    try:
        models = ModelsFile.model_validate(tables)
    except ValidationError as error:
        raise refusal(file, text, misfits(error, _place)) from None
    faults = list(_contradictions(models))
    if faults:
        raise refusal(file, text, faults)
    return models


def _place(loc: tuple[str | int, ...]) -> tuple[Place, Iterable[str]]:
    """Return where in the file something is wrong, and which keys there are in that table."""
    steps = tuple(step for step in loc if step != "[key]")
    table: type[Table] = ModelsFile
    match steps:
        case ("redis", *_):
            table = RedisSettings
        case ("providers", _, *_):
            table = ProviderSettings
        case ("models" | "embeddings", _, "rungs", int(), str(), "price", _):
            table, steps = PriceSettings, (*steps[:4], *steps[5:])
        case ("models", _, "rungs", int(), str(kind), *rest):
            table, steps = RUNGS[kind], (*steps[:4], *rest)
        case ("models", _, *_):
            table = LadderSettings
        case ("embeddings", _, "rungs", int(), str(kind), *rest):
            table, steps = EMBEDDING_RUNGS[kind], (*steps[:4], *rest)
        case ("embeddings", _, *_):
            table = EmbeddingSettings
    return steps, table.model_fields


def _contradictions(models: ModelsFile) -> Iterator[Fault]:
    """Yield what is fine by itself, and wrong with the rest."""
    if models.redis and (models.redis.url is None) == (models.redis.url_env is None):
        yield Fault(("redis",), "needs either a url or a url_env")
    for name, own in models.providers.items():
        place = ("providers", name, "preset")
        provider = provider_settings(name, models.providers)
        if provider is None:
            wanted = own.preset or name
            yield Fault(place, f"there is no preset {wanted!r}{nearest(wanted, presets())}")
        elif provider.url is None:
            yield Fault(place[:2], "needs a url")
    for name, ladder in models.models.items():
        place = ("models", name, "rungs")
        yield from _dead_ends(place, ladder)
        yield from _strangers(place, ladder, models)
    for name, embeddings in models.embeddings.items():
        place = ("embeddings", name, "rungs")
        if name in models.models:
            yield Fault(place[:2], f"there is a model {name!r} that converses")
        yield from _no_vectors(place, embeddings, models)
        yield from _other_spaces(place, embeddings)
        yield from _strangers(place, embeddings, models)


def _dead_ends(place: Place, ladder: LadderSettings) -> Iterator[Fault]:
    answered = False
    for index, rung in enumerate(ladder.rungs):
        if answered:
            yield Fault((*place, index), "is never asked: an answer before it answers everything")
        answered = answered or isinstance(rung, AnswerRung)


def _no_vectors(place: Place, ladder: EmbeddingSettings, models: ModelsFile) -> Iterator[Fault]:
    for index, rung in enumerate(ladder.rungs):
        if isinstance(rung, ProviderRung):
            provider = provider_settings(rung.provider, models.providers)
            if provider and provider.api == "anthropic":
                yield Fault((*place, index, "provider"), "there are no vectors in its API")


def _other_spaces(place: Place, ladder: EmbeddingSettings) -> Iterator[Fault]:
    """Yield rungs whose vectors, mixed with those of the first, would spoil every search."""
    space = ladder.rungs[0].vectors
    for index, rung in enumerate(ladder.rungs):
        if rung.vectors != space:
            yield Fault(
                (*place, index),
                f"gives vectors of {rung.vectors!r}, and the first rung those of {space!r}: they"
                " cannot be compared; if the model is the same, give each rung the same space",
            )


def _strangers(
    place: Place, ladder: LadderSettings | EmbeddingSettings, models: ModelsFile
) -> Iterator[Fault]:
    seen = set[str]()
    for index, rung in enumerate(ladder.rungs):
        here = (*place, index)
        if rung.name in seen:
            yield Fault(here, f"{rung.name} is there twice")
        seen.add(rung.name)
        if isinstance(rung, ProviderRung):
            yield from _unasked((*here, "provider"), rung.provider, models)


def _unasked(place: Place, name: str, models: ModelsFile) -> Iterator[Fault]:
    provider = provider_settings(name, models.providers)
    if name in models.providers:
        return
    if provider is None:
        known = nearest(name, {*presets(), *models.providers})
        yield Fault(place, f"there is no provider {name!r}{known}")
    elif provider.url is None:
        yield Fault(place, f"needs a url in [providers.{name}]")
