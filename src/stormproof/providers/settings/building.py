"""Ladders, as the settings say."""

from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from stormproof.errors import ConfigurationError
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.anthropic.model import ANTHROPIC_CAPABILITIES
from stormproof.providers.candidate import Candidate
from stormproof.providers.chat import Capability
from stormproof.providers.continuation import Continuation
from stormproof.providers.embeddings.judging import sized
from stormproof.providers.embeddings.ladder import EmbeddingLadder
from stormproof.providers.embeddings.request import EmbeddingModel, EmbeddingRequest, Embeddings
from stormproof.providers.figures import Figures
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.local.model import ENGINE_CAPABILITIES, EngineModel
from stormproof.providers.model import ChatModel
from stormproof.providers.recalling import RecallingRung
from stormproof.providers.rung import Rung
from stormproof.providers.settings.guarding import Guards
from stormproof.providers.settings.hosted import Hosted
from stormproof.providers.settings.hosts import EmbedderRung, EmbeddingRung, EmbeddingSettings
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.price_list import price_of
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import (
    AnswerRung,
    CachedRung,
    EngineRung,
    LadderSettings,
    ModelRung,
    ModelsFile,
    RungSettings,
)
from stormproof.providers.settings.sharing import shared_store
from stormproof.providers.stream_policy import StreamPolicy

_OF_TEXT: Final = frozenset(Capability) - {
    Capability.ECHO,
    Capability.JSON_SCHEMA,
    Capability.LOGPROBS,
}
"""What a fixed text is an answer to."""

_OF_API: Final = {"openai": frozenset(Capability), "anthropic": ANTHROPIC_CAPABILITIES}


class LadderBuilder:
    """Makes the ladders that the settings name.

    Args:
        models: The settings.
        client: Calls providers.
        environment: Where the variables with keys are.
        engine: The engine of this process, where one runs.
        embedders: The embedding models of this process, by what the settings call them.
        kept: What other builders have made, of which all that has not changed is used on:
            circuits, limits, caches, ladders.

    Attributes:
        hosted: The models of providers.
        store: Where circuits, limits and rests are, if several processes share them.

    Raises:
        ConfigurationError: They are to be shared, and where cannot be told.
    """

    def __init__(
        self,
        models: ModelsFile,
        client: HttpClient,
        environment: Mapping[str, str],
        *,
        engine: ChatModel | None = None,
        embedders: Mapping[str, EmbeddingModel] = MappingProxyType({}),
        kept: Kept | None = None,
    ) -> None:
        self._models = models
        self.hosted: Final = Hosted(models, client, environment)
        self._engine = engine
        self._embedders = embedders
        self._kept = kept or Kept()
        self.store: Final = shared_store(models.redis, environment, self._kept)
        self._guards = Guards(self._kept, self.store)

    def ladders(self) -> dict[str, Ladder]:
        """Return a ladder for each name that clients may ask for.

        Raises:
            ConfigurationError: A key is missing, or the engine that a rung needs.
            StorageError: A file with a key cannot be read.
        """
        return {
            name: self._kept.one(
                partial(self._ladder, name, ladder), "ladder", name, *self._made_of(ladder)
            )
            for name, ladder in self._models.models.items()
        }

    def embedding_ladders(self) -> dict[str, EmbeddingLadder]:
        """Return a ladder for each name that clients may ask for vectors.

        Raises:
            ConfigurationError: A key is missing, or the embedding model that a rung needs.
            StorageError: A file with a key cannot be read.
        """
        return {
            name: self._kept.one(
                partial(self._hosts, name, ladder), "embeddings", name, *self._made_of(ladder)
            )
            for name, ladder in self._models.embeddings.items()
        }

    def _made_of(self, ladder: LadderSettings | EmbeddingSettings) -> Iterator[Hashable]:
        """Yield all that a ladder depends on."""
        yield ladder
        yield self.store
        for rung in ladder.rungs:
            if isinstance(rung, ProviderRung):
                yield self.hosted.provider(rung).model_dump_json()
                yield self.hosted.key(rung)

    def _ladder(self, name: str, ladder: LadderSettings) -> Ladder:
        cache = self._cache(name, ladder)
        return Ladder(
            name,
            [self._rung(name, rung, cache) for rung in ladder.rungs],
            deadline=ladder.deadline,
            order=ladder.order,
            policy=StreamPolicy(ladder.stream),
            cache=cache,
        )

    def _cache(self, name: str, ladder: LadderSettings) -> AnswerCache | None:
        for rung in ladder.rungs:
            if isinstance(rung, CachedRung):
                make = partial(AnswerCache, max_bytes=rung.max_bytes, max_age=rung.max_age)
                return self._kept.one(make, "cache", name, rung.max_bytes, rung.max_age)
        return None

    def _rung(self, name: str, rung: RungSettings, cache: AnswerCache | None) -> Rung:
        match rung:
            case ModelRung():
                return self._asking(name, rung)
            case EngineRung():
                return self._computing(name, rung)
        figures = self._figures(name, rung)
        if isinstance(rung, AnswerRung):
            return _last_resort(rung.answer, figures)
        return RecallingRung(CachedAnswers(cache or AnswerCache()), figures=figures)

    def _asking(self, name: str, rung: ModelRung) -> Rung:
        return Rung(
            self.hosted.model(rung),
            texts=self.hosted.text_model(rung),
            weight=rung.weight,
            deadline=rung.deadline,
            idle=rung.idle,
            capabilities=rung.capabilities & _OF_API[self.hosted.provider(rung).api],
            context=rung.context,
            continues=self.hosted.continues(rung),
            **self._watching(name, rung),
        )

    def _computing(self, name: str, rung: EngineRung) -> Rung:
        if self._engine is None:
            raise ConfigurationError(reason="a model has a rung for the engine, and none runs")
        return Rung(
            self._engine,
            texts=self._engine.texts if isinstance(self._engine, EngineModel) else None,
            weight=rung.weight,
            deadline=rung.deadline,
            idle=rung.idle,
            capabilities=ENGINE_CAPABILITIES,
            continues=Continuation.EXACT,
            **self._watching(name, rung),
        )

    def _hosts(self, name: str, ladder: EmbeddingSettings) -> EmbeddingLadder:
        rungs = [self._host(name, rung, ladder.dimensions) for rung in ladder.rungs]
        return EmbeddingLadder(name, rungs, deadline=ladder.deadline, order=ladder.order)

    def _host(
        self, name: str, rung: EmbeddingRung | EmbedderRung, dimensions: int | None
    ) -> Candidate[EmbeddingRequest, Embeddings]:
        if isinstance(rung, EmbeddingRung):
            model = self.hosted.embedding_model(rung)
        else:
            model = self._embedder(rung)
        embed = model.embed if dimensions is None else sized(model.embed, rung.name, dimensions)
        return Candidate(
            rung.name,
            embed,
            weight=rung.weight,
            deadline=rung.deadline,
            **self._watching(name, rung),
        )

    def _embedder(self, rung: EmbedderRung) -> EmbeddingModel:
        if rung.embedder not in self._embedders:
            reason = f"the embedding model {rung.name} was not loaded when the process started"
            raise ConfigurationError(reason=reason)
        return self._embedders[rung.embedder]

    def _watching(
        self, name: str, rung: ProviderRung | EngineRung | EmbedderRung
    ) -> dict[str, Any]:
        """Return what stands between us and somebody who answers, and counts what comes of it."""
        figures = self._figures(name, rung)
        if not isinstance(rung, ProviderRung):
            return {"breaker": self._guards.breaker(rung.name), "figures": figures}
        provider = self.hosted.provider(rung)
        way = provider.url, provider.proxy, self.hosted.key(rung)
        price = price_of(rung, self._models.providers)
        return {
            "limits": self._guards.limits((f"{name}/{rung.name}", rung), (rung.provider, provider)),
            "breaker": self._guards.breaker(rung.name, *way),
            "price": price.cost if price else None,
            "figures": figures,
        }

    def _figures(self, name: str, rung: RungSettings | ProviderRung | EmbedderRung) -> Figures:
        return self._kept.one(Figures, "figures", name, rung.name)


def _last_resort(text: str, figures: Figures) -> Rung:
    """Return a rung that is asked when no model can answer, whatever the order of those."""
    fixed = FixedAnswer(text)
    return Rung(
        fixed,
        texts=fixed,
        weight=0.0,
        degraded=True,
        continues=Continuation.NEVER,
        capabilities=_OF_TEXT,
        figures=figures,
    )
