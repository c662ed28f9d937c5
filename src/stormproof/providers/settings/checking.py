"""Whether everybody whom the settings name is there, lets us in, and has the model."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from stormproof.errors import (
    ConfigurationError,
    DeadlineExceeded,
    ModelNotFound,
    NetworkError,
    ProviderUnauthorized,
    StorageError,
    StormproofError,
    translate,
)
from stormproof.providers.chat import ChatRequest
from stormproof.providers.embeddings.request import EmbeddingRequest
from stormproof.providers.embeddings.vectors import Vector, likeness
from stormproof.providers.settings.hosted import Hosted
from stormproof.providers.settings.hosts import EmbeddingRung
from stormproof.providers.settings.keys import key_place
from stormproof.providers.settings.schema import ModelRung, ModelsFile
from stormproof.recovery import Deadline, Pipeline, current_clock

if TYPE_CHECKING:
    from stormproof.recovery.redis import RedisStore

_QUESTION: Final = ChatRequest(
    {
        "model": "check",
        "messages": [{"role": "user", "content": "Say ok."}],
        "max_tokens": 16,  # with fewer, some reasoning models refuse
    }
)
_TEXT: Final = EmbeddingRequest(
    {"model": "check", "input": "The storm has passed over the harbour."}
)
_ALIKE: Final = 0.95
"""What vectors of one model have in common at least, whoever computes them with what precision."""

_AT_ONCE: Final = 32

_Checked: TypeAlias = ModelRung | EmbeddingRung


@dataclass(slots=True)
class Finding:
    """What is known of a model that is needed; None stands for what nobody tells.

    Attributes:
        target: Whose model, and which.
        models: The names that need it.
        key: Where our key is; None if none is needed.
        reached: Whether the provider is there.
        accepted: Whether it takes our key.
        known: Whether it has the model.
        seconds: How long it took to find out.
        error: Why it does not work; None if it does, as far as one can see.
        note: What else there is to say.
        vector: Of a text that is the same for all who host embedding models, if it was called.
    """

    target: str
    models: Sequence[str]
    key: str | None = None
    reached: bool | None = None
    accepted: bool | None = None
    known: bool | None = None
    seconds: float = 0.0
    error: StormproofError | None = None
    note: str = ""
    vector: Vector | None = None


async def check_targets(
    models: ModelsFile, hosted: Hosted, *, deadline: float, call: bool = False
) -> list[Finding]:
    """Ask every provider for every model that is needed of it, all at once.

    Args:
        models: The settings.
        hosted: Made of the same.
        deadline: Seconds for each.
        call: Whether each model is called, which costs a few tokens; otherwise the provider is
            asked whether it has it.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def check(rung: _Checked, needed_by: Sequence[str]) -> Finding:
        found = Finding(rung.name, needed_by, key_place(hosted.provider(rung)))
        look = Pipeline(Deadline(deadline), name=rung.name)
        async with room:
            began = current_clock().now()
            try:
                await look.acall(_call if call else _look, rung, hosted, found)
            except StormproofError as error:
                _failed(found, error)
            found.seconds = current_clock().now() - began
        return found

    found = await asyncio.gather(*(check(rung, names) for rung, names in _targets(models)))
    for name in models.embeddings:
        _compare(name, [one for one in found if name in one.models and one.vector])
    return found


async def check_store(models: ModelsFile, store: "RedisStore", *, deadline: float) -> Finding:
    """Ask for what processes share, which all of them can do without.

    Args:
        models: The settings.
        store: Made of the same.
        deadline: Seconds for it.
    """
    found, began = Finding("redis", [*models.models, *models.embeddings]), current_clock().now()
    try:
        await Pipeline(Deadline(deadline), name="redis").acall(store.aping)
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        found.error = translate(error)
    found.reached = found.error is None
    found.seconds = current_clock().now() - began
    return found


async def _call(rung: _Checked, hosted: Hosted, found: Finding) -> None:
    if isinstance(rung, EmbeddingRung):
        [found.vector] = (await hosted.embedding_model(rung).embed(_TEXT)).vectors
    else:
        await hosted.model(rung).complete(_QUESTION)
    found.reached = found.known = True
    found.accepted = True if found.key else None


async def _look(rung: _Checked, hosted: Hosted, found: Finding) -> None:
    listing = hosted.listing(rung)
    known = await listing.has(rung.model)
    found.reached = True
    if known is not None:
        found.accepted = await listing.knows_us()
    if known is False and hosted.provider(rung).lists_models:
        raise ModelNotFound(model=rung.model)
    found.known = known or None
    if not known:
        found.note = "it does not tell which models it has: --call finds out"


def _compare(name: str, hosts: Sequence[Finding]) -> None:
    """Note who is said to host the same model as the first, and does not."""
    for other in hosts[1:]:
        first, theirs = hosts[0].vector or (), other.vector or ()
        if len(first) != len(theirs) or likeness(first, theirs) < _ALIKE:
            reason = f"the vectors of {other.target} are not those of {hosts[0].target}: it is"
            other.error = ConfigurationError(
                setting=f"embeddings.{name}",
                reason=f"{reason} another model, or is asked otherwise",
            )


def _failed(found: Finding, error: StormproofError) -> None:
    """Note how far one came."""
    found.error = error
    if not isinstance(error, ConfigurationError | StorageError):
        found.reached = not isinstance(error, NetworkError | DeadlineExceeded)
    if isinstance(error, ProviderUnauthorized):
        found.accepted = False
    if isinstance(error, ModelNotFound):
        found.known = False


def _targets(models: ModelsFile) -> Collection[tuple[_Checked, Sequence[str]]]:
    found: dict[tuple[type, str], tuple[_Checked, list[str]]] = {}
    named = [(name, ladder.rungs) for name, ladder in models.models.items()]
    hosted = [(name, ladder.rungs) for name, ladder in models.embeddings.items()]
    for name, rungs in (*named, *hosted):
        for rung in rungs:
            if isinstance(rung, _Checked):
                found.setdefault((type(rung), rung.name), (rung, []))[1].append(name)
    return found.values()
