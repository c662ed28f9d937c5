"""Which texts are embedded where, and by whom."""

from collections.abc import Mapping

from starlette.types import ASGIApp

from stormproof.engine import AsyncEmbedder
from stormproof.gateway.embedding_endpoint import EmbeddingEndpoint
from stormproof.gateway.keys import Opened
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.native import FindEntrance, Native
from stormproof.gateway.settings import Settings
from stormproof.providers import Candidate, EmbeddingLadder, LocalEmbeddings


def embedder_ladder(name: str, embedder: AsyncEmbedder, settings: Settings) -> EmbeddingLadder:
    """Return a ladder on which nobody but a model of this process stands.

    Args:
        name: What clients call it.
        embedder: The model.
        settings: Limits.
    """
    model = LocalEmbeddings(embedder, max_chars=settings.max_prompt_chars)
    rung = Candidate(name, model.embed, deadline=settings.request_timeout)
    return EmbeddingLadder(name, [rung], deadline=settings.request_timeout)


def answer_embeddings(
    app: ASGIApp,
    ladders: Mapping[str, EmbeddingLadder],
    alone: Mapping[str, EmbeddingLadder],
    lifecycle: Lifecycle,
    entrance: FindEntrance,
    *,
    opened: Opened,
) -> EmbeddingEndpoint:
    """Return what embeds; requests can go there without the framework.

    Args:
        app: The application, with the routes of the models of this process.
        ladders: Who embeds, by the name of the model; the content may change.
        alone: The ladders of the models of this process.
        lifecycle: Told of calls under way.
        entrance: Returns what requests pass now, if that is anything.
        opened: Tells which models a caller may ask.
    """
    guarded = EmbeddingEndpoint(alone, lifecycle, entrance=entrance, opened=opened)
    others = dict.fromkeys(alone, Native(app, guarded, entrance))
    return EmbeddingEndpoint(ladders, lifecycle, entrance=entrance, opened=opened, others=others)
