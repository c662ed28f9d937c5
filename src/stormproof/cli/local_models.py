"""Whether the models that this machine computes are here."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from stormproof.errors import StormproofError
from stormproof.weights import ModelLibrary

if TYPE_CHECKING:
    from stormproof.gateway import Settings
    from stormproof.providers import Finding, ModelsFile


def check_local(models: "ModelsFile", settings: "Settings") -> "list[Finding]":
    """Look for every model of this machine that some name needs; nothing is fetched.

    Args:
        models: Who needs which.
        settings: Which one the engine has.
    """
    needed: dict[str, list[str]] = {}
    for spec, name in _needed(models, settings.model):
        needed.setdefault(spec, []).append(name)
    return [_found(spec, names) for spec, names in needed.items()]


def _found(spec: str, names: list[str]) -> "Finding":
    from stormproof.providers import Finding  # noqa: PLC0415 - heavy

    finding = Finding(PurePath(spec).name, names)
    try:
        finding.known = ModelLibrary().has(spec) or None
    except StormproofError as error:
        finding.known, finding.error = False, error
    if finding.known is None:
        finding.note = f"not here yet: the server fetches it, or stormproof model pull {spec}"
    return finding


def _needed(models: "ModelsFile", model: str) -> Iterator[tuple[str, str]]:
    from stormproof.providers.settings.hosts import EmbedderRung  # noqa: PLC0415 - heavy
    from stormproof.providers.settings.schema import EngineRung  # noqa: PLC0415

    for name, ladder in models.models.items():
        if any(isinstance(rung, EngineRung) for rung in ladder.rungs):
            yield model, name
    for name, embeddings in models.embeddings.items():
        for rung in embeddings.rungs:
            if isinstance(rung, EmbedderRung):
                yield rung.embedder, name
