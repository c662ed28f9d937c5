"""Whether everybody whom the settings name answers now."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, TypeAlias

from stormproof.errors import StormproofError
from stormproof.providers.chat import ChatRequest
from stormproof.providers.embeddings.request import EmbeddingRequest
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.hosts import EmbeddingRung
from stormproof.providers.settings.schema import ModelRung, ModelsFile
from stormproof.recovery import Deadline, Pipeline, current_clock

_QUESTION: Final = ChatRequest(
    {
        "model": "check",
        "messages": [{"role": "user", "content": "Say ok."}],
        "max_tokens": 16,  # with fewer, some reasoning models refuse
    }
)
_TEXT: Final = EmbeddingRequest({"model": "check", "input": "ok"})
_AT_ONCE: Final = 32

_Checked: TypeAlias = ModelRung | EmbeddingRung


class Finding(NamedTuple):
    """What became of a call.

    Attributes:
        target: Whose model was called, and which.
        models: The names that need it.
        seconds: How long it took.
        error: Why it does not work; None if it does.
    """

    target: str
    models: Sequence[str]
    seconds: float
    error: StormproofError | None


async def check_targets(
    models: ModelsFile, builder: LadderBuilder, *, deadline: float
) -> list[Finding]:
    """Call every model of every provider once, all at once, and return what became of it.

    Args:
        models: The settings.
        builder: Made of the same.
        deadline: Seconds for each call.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def check(rung: _Checked, needed_by: Sequence[str]) -> Finding:
        async with room:
            began = current_clock().now()
            error = await _call(rung, builder, deadline)
            return Finding(rung.name, needed_by, current_clock().now() - began, error)

    targets = _targets(models)
    return await asyncio.gather(*(check(rung, names) for rung, names in targets))


async def _call(rung: _Checked, builder: LadderBuilder, deadline: float) -> StormproofError | None:
    try:
        pipeline = Pipeline(Deadline(deadline), name=rung.name)
        if isinstance(rung, EmbeddingRung):
            await pipeline.acall(builder.embedding_model(rung).embed, _TEXT)
        else:
            await pipeline.acall(builder.model(rung).complete, _QUESTION)
    except StormproofError as error:
        return error
    return None


def _targets(models: ModelsFile) -> Collection[tuple[_Checked, Sequence[str]]]:
    found: dict[tuple[type, str], tuple[_Checked, list[str]]] = {}
    named = [(name, ladder.rungs) for name, ladder in models.models.items()]
    hosted = [(name, ladder.rungs) for name, ladder in models.embeddings.items()]
    for name, rungs in (*named, *hosted):
        for rung in rungs:
            if isinstance(rung, _Checked):
                found.setdefault((type(rung), rung.name), (rung, []))[1].append(name)
    return found.values()
