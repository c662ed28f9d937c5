"""Ladders, as the settings say."""

from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from pydantic import SecretStr

from stormproof.errors import ConfigurationError
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.anthropic.model import ANTHROPIC_CAPABILITIES, AnthropicModel
from stormproof.providers.api import Endpoint
from stormproof.providers.candidate import Candidate
from stormproof.providers.chat import Capability
from stormproof.providers.continuation import Continuation
from stormproof.providers.embeddings.ladder import EmbeddingLadder
from stormproof.providers.embeddings.request import EmbeddingModel, EmbeddingRequest, Embeddings
from stormproof.providers.figures import Figures
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.local.model import ENGINE_CAPABILITIES, EngineModel
from stormproof.providers.model import ChatModel, TextModel
from stormproof.providers.openai.embeddings import OpenAIEmbeddings
from stormproof.providers.openai.model import OpenAIModel
from stormproof.providers.openai.texts import OpenAITexts
from stormproof.providers.rung import Rung
from stormproof.providers.settings.guarding import Guards
from stormproof.providers.settings.hosts import EmbedderRung, EmbeddingRung, EmbeddingSettings
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.keys import provider_key
from stormproof.providers.settings.presets import provider_settings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import (
    AnswerRung,
    CachedRung,
    EngineRung,
    LadderSettings,
    ModelRung,
    ModelsFile,
    ProviderSettings,
    RungSettings,
)
from stormproof.providers.settings.sharing import shared_store

_OF_TEXT: Final = frozenset(Capability) - {Capability.JSON_SCHEMA, Capability.LOGPROBS}
"""What a fixed text is an answer to."""

_OF_API: Final = {"openai": frozenset(Capability), "anthropic": ANTHROPIC_CAPABILITIES}
_PATHS: Final = {"openai": "/chat/completions", "anthropic": "/messages"}


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
        self._client = client
        self._environment = environment
        self._engine = engine
        self._embedders = embedders
        self._kept = kept or Kept()
        self.store: Final = shared_store(models.redis, environment, self._kept)
        self._guards = Guards(self._kept, self.store)

    def check(self) -> None:
        """Find out what is missing before anything slow begins.

        Raises:
            ConfigurationError: A key is missing.
            StorageError: A file with a key cannot be read.
        """
        for ladder in self._models.models.values():
            for rung in ladder.rungs:
                if isinstance(rung, ModelRung):
                    self.model(rung)
        for embeddings in self._models.embeddings.values():
            for host in embeddings.rungs:
                if isinstance(host, EmbeddingRung):
                    self.embedding_model(host)

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

    def model(self, rung: ModelRung) -> ChatModel:
        """Return whom a rung asks.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        provider = self._provider(rung)
        prefills = self._continues(rung) is Continuation.PREFILL
        endpoint = _endpoint(
            rung,
            provider,
            _PATHS[provider.api],
            prefill_message=provider.prefill_message if prefills else {},
            prefill_body=provider.prefill_body if prefills else {},
        )
        key = self._key(rung)
        if provider.api == "anthropic":
            return AnthropicModel(
                endpoint, rung.model, client=self._client, key=key, prefills=prefills
            )
        return OpenAIModel(endpoint, rung.model, client=self._client, key=key)

    def _text_model(self, rung: ModelRung) -> TextModel | None:
        """Return whom a rung asks to continue texts; None if that is nobody."""
        provider = self._provider(rung)
        completes = provider.completions if rung.completions is None else rung.completions
        if provider.api != "openai" or not completes:
            return None
        endpoint = _endpoint(rung, provider, "/completions")
        return OpenAITexts(endpoint, rung.model, client=self._client, key=self._key(rung))

    def embedding_model(self, rung: EmbeddingRung) -> EmbeddingModel:
        """Return whom a rung asks for vectors.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        endpoint = _endpoint(rung, self._provider(rung), "/embeddings")
        key = self._key(rung)
        return OpenAIEmbeddings(
            endpoint, rung.model, client=self._client, key=key, batch=rung.batch
        )

    def _made_of(self, ladder: LadderSettings | EmbeddingSettings) -> Iterator[Hashable]:
        """Yield all that a ladder depends on."""
        yield ladder
        yield self.store
        for rung in ladder.rungs:
            if isinstance(rung, ProviderRung):
                yield self._provider(rung).model_dump_json()
                yield self._key(rung)

    def _ladder(self, name: str, ladder: LadderSettings) -> Ladder:
        cache = self._cache(name, ladder)
        return Ladder(
            name,
            [self._rung(name, rung, cache) for rung in ladder.rungs],
            deadline=ladder.deadline,
            order=ladder.order,
            resume=ladder.stream == "resume",
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
            return _last_resort(FixedAnswer(rung.answer), capabilities=_OF_TEXT, figures=figures)
        again = CachedAnswers(cache or AnswerCache())
        return _last_resort(again, serves=again.serves, figures=figures)

    def _asking(self, name: str, rung: ModelRung) -> Rung:
        return Rung(
            self.model(rung),
            texts=self._text_model(rung),
            weight=rung.weight,
            deadline=rung.deadline,
            idle=rung.idle,
            capabilities=rung.capabilities & _OF_API[self._provider(rung).api],
            context=rung.context,
            continues=self._continues(rung),
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
        rungs = [self._host(name, rung) for rung in ladder.rungs]
        return EmbeddingLadder(name, rungs, deadline=ladder.deadline, order=ladder.order)

    def _host(
        self, name: str, rung: EmbeddingRung | EmbedderRung
    ) -> Candidate[EmbeddingRequest, Embeddings]:
        if isinstance(rung, EmbeddingRung):
            model = self.embedding_model(rung)
        else:
            model = self._embedder(rung)
        return Candidate(
            rung.name,
            model.embed,
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
        provider = self._provider(rung)
        return {
            "limits": self._guards.limits((f"{name}/{rung.name}", rung), (rung.provider, provider)),
            "breaker": self._guards.breaker(rung.name, provider.url, self._key(rung)),
            "price": rung.price.cost if rung.price else None,
            "figures": figures,
        }

    def _figures(self, name: str, rung: RungSettings | ProviderRung | EmbedderRung) -> Figures:
        return self._kept.one(Figures, "figures", name, rung.name)

    def _provider(self, rung: ProviderRung) -> ProviderSettings:
        provider = provider_settings(rung.provider, self._models.providers)
        if provider is None or provider.url is None:
            raise ConfigurationError(reason=f"nobody knows where {rung.provider} listens")
        return provider

    def _key(self, rung: ProviderRung) -> SecretStr | None:
        return provider_key(rung.provider, self._provider(rung), self._environment)

    def _continues(self, rung: ModelRung) -> Continuation:
        prefills = self._provider(rung).prefill if rung.prefill is None else rung.prefill
        return Continuation.PREFILL if prefills else Continuation.INSTRUCTION


def _last_resort(model: CachedAnswers | FixedAnswer, **options: Any) -> Rung:
    """Return a rung that is asked when no model can answer, whatever the order of those."""
    return Rung(
        model, texts=model, weight=0.0, degraded=True, continues=Continuation.NEVER, **options
    )


def _endpoint(
    rung: ProviderRung, provider: ProviderSettings, path: str, **prefilling: Mapping[str, bool]
) -> Endpoint:
    return Endpoint(
        provider=rung.provider,
        url=f"{provider.url}{path}",
        headers=provider.headers,
        key_header=provider.key_header,
        key_prefix=provider.key_prefix,
        counts_streams=provider.counts_streams,
        heeds_deadlines=provider.heeds_deadlines,
        max_tokens_field=provider.max_tokens_field,
        **prefilling,
    )
