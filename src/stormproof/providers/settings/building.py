"""Ladders, as the settings say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stormproof.errors import ConfigurationError
from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.anthropic.model import ANTHROPIC_CAPABILITIES, AnthropicModel
from stormproof.providers.api import Endpoint
from stormproof.providers.chat import Capability, ChatRequest, Chunk, Completion
from stormproof.providers.continuation import Continuation
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.model import ChatModel
from stormproof.providers.openai.model import OpenAIModel
from stormproof.providers.rung import Rung
from stormproof.providers.settings.keys import provider_key
from stormproof.providers.settings.presets import provider_settings
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
from stormproof.recovery import Bulkhead, Quota, RateLimit, Strategy

_MINUTE: Final = 60.0
_USUAL_ANSWER: Final = 512
"""Tokens that a request is taken to need for its answer, if it does not say; settled afterwards."""

_ANY_NUMBER: Final = 1_000_000
_OF_TEXT: Final = frozenset(Capability) - {Capability.JSON_SCHEMA, Capability.LOGPROBS}
"""What a fixed text is an answer to."""

_OF_ENGINE: Final = frozenset(
    {Capability.TOOLS, Capability.JSON_SCHEMA, Capability.LOGPROBS, Capability.CHOICES}
)
_OF_API: Final = {"openai": frozenset(Capability), "anthropic": ANTHROPIC_CAPABILITIES}
_PATHS: Final = {"openai": "/chat/completions", "anthropic": "/messages"}


class LadderBuilder:
    """Makes the ladders that the settings name.

    Args:
        models: The settings.
        client: Calls providers.
        environment: Where the variables with keys are.
        engine: The engine of this process, where one runs.
    """

    def __init__(
        self,
        models: ModelsFile,
        client: HttpClient,
        environment: Mapping[str, str],
        *,
        engine: ChatModel | None = None,
    ) -> None:
        self._models = models
        self._client = client
        self._environment = environment
        self._engine = engine

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

    def ladders(self) -> dict[str, Ladder]:
        """Return a ladder for each name that clients may ask for.

        Raises:
            ConfigurationError: A key is missing, or the engine that a rung needs.
            StorageError: A file with a key cannot be read.
        """
        return {name: self._ladder(name, ladder) for name, ladder in self._models.models.items()}

    def model(self, rung: ModelRung) -> ChatModel:
        """Return whom a rung asks.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        name, provider = rung.provider, self._provider(rung)
        prefills = self._continues(rung) is Continuation.PREFILL
        endpoint = Endpoint(
            provider=name,
            url=f"{provider.url}{_PATHS[provider.api]}",
            headers=provider.headers,
            key_header=provider.key_header,
            key_prefix=provider.key_prefix,
            counts_streams=provider.counts_streams,
            heeds_deadlines=provider.heeds_deadlines,
            max_tokens_field=provider.max_tokens_field,
            prefill_message=provider.prefill_message if prefills else {},
            prefill_body=provider.prefill_body if prefills else {},
        )
        key = provider_key(name, provider, self._environment)
        if provider.api == "anthropic":
            return AnthropicModel(
                endpoint, rung.model, client=self._client, key=key, prefills=prefills
            )
        return OpenAIModel(endpoint, rung.model, client=self._client, key=key)

    def _ladder(self, name: str, ladder: LadderSettings) -> Ladder:
        cache = _cache(ladder)
        return Ladder(
            name,
            [self._rung(rung, cache) for rung in ladder.rungs],
            deadline=ladder.deadline,
            order=ladder.order,
            resume=ladder.stream == "resume",
            cache=cache,
        )

    def _rung(self, rung: RungSettings, cache: AnswerCache | None) -> Rung:
        match rung:
            case ModelRung():
                return self._asking(rung)
            case EngineRung():
                return self._computing(rung)
            case AnswerRung():
                return _last_resort(FixedAnswer(rung.answer), capabilities=_OF_TEXT)
        again = CachedAnswers(cache or AnswerCache())
        return _last_resort(again, serves=again.serves)

    def _asking(self, rung: ModelRung) -> Rung:
        return Rung(
            self.model(rung),
            weight=rung.weight,
            deadline=rung.deadline,
            idle=rung.idle,
            limits=_limits(rung),
            capabilities=rung.capabilities & _OF_API[self._provider(rung).api],
            context=rung.context,
            continues=self._continues(rung),
        )

    def _computing(self, rung: EngineRung) -> Rung:
        if self._engine is None:
            raise ConfigurationError(reason="a model has a rung for the engine, and none runs")
        return Rung(
            self._engine,
            weight=rung.weight,
            deadline=rung.deadline,
            idle=rung.idle,
            capabilities=_OF_ENGINE,
            continues=Continuation.PREFILL,
        )

    def _provider(self, rung: ModelRung) -> ProviderSettings:
        provider = provider_settings(rung.provider, self._models.providers)
        if provider is None or provider.url is None:
            raise ConfigurationError(reason=f"nobody knows where {rung.provider} listens")
        return provider

    def _continues(self, rung: ModelRung) -> Continuation:
        prefills = self._provider(rung).prefill if rung.prefill is None else rung.prefill
        return Continuation.PREFILL if prefills else Continuation.INSTRUCTION


def _cache(ladder: LadderSettings) -> AnswerCache | None:
    kept = [rung for rung in ladder.rungs if isinstance(rung, CachedRung)]
    return AnswerCache(max_bytes=kept[0].max_bytes, max_age=kept[0].max_age) if kept else None


def _last_resort(model: ChatModel, **options: Any) -> Rung:
    """Return a rung that is asked when no model can answer, whatever the order of those."""
    return Rung(model, weight=0.0, degraded=True, continues=Continuation.NEVER, **options)


def _limits(rung: ModelRung) -> Sequence[Strategy]:
    """Return what keeps us within a provider's limits: nobody waits, the next rung answers."""
    limits: list[Strategy] = []
    if rung.concurrency:
        limits.append(Bulkhead(rung.name, rung.concurrency))
    if rung.tokens_per_minute:
        limits.append(_quota(rung, rung.tokens_per_minute))
    elif rung.requests_per_minute:
        limits.append(RateLimit(rung.name, rung.requests_per_minute, _MINUTE, max_wait=0.0))
    return limits


def _quota(rung: ModelRung, tokens: int) -> Quota:
    def estimate(request: ChatRequest, *_: object) -> float:
        answer = (request.max_tokens or _USUAL_ANSWER) * request.choices
        # One that could never fit goes through when nothing else does: it is the provider's to say.
        return min(request.prompt_tokens + answer, tokens)

    return Quota(
        rung.name,
        requests=rung.requests_per_minute or _ANY_NUMBER,
        tokens=tokens,
        estimate=estimate,
        usage=_used,
        period=_MINUTE,
        max_wait=0.0,
    )


def _used(said: Completion | Chunk) -> float | None:
    return (said.usage.total_tokens or None) if said.usage else None
