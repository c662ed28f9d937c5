"""Whom the settings let us ask: providers' models, with their addresses and keys."""

from collections.abc import Mapping
from typing import Final

import msgspec
from pydantic import SecretStr

from stormproof.errors import ConfigurationError
from stormproof.providers.anthropic.model import VERSION, AnthropicModel
from stormproof.providers.api import Endpoint
from stormproof.providers.continuation import Continuation
from stormproof.providers.embeddings.request import EmbeddingModel
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.proxies import Proxy
from stormproof.providers.listing import Listing
from stormproof.providers.model import ChatModel, TextModel
from stormproof.providers.openai.embeddings import OpenAIEmbeddings
from stormproof.providers.openai.model import OpenAIModel
from stormproof.providers.openai.texts import OpenAITexts
from stormproof.providers.settings.hosts import EmbeddingRung
from stormproof.providers.settings.keys import provider_key
from stormproof.providers.settings.presets import provider_settings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.schema import ModelRung, ModelsFile, ProviderSettings

_PATHS: Final = {"openai": "/chat/completions", "anthropic": "/messages"}


class Hosted:
    """The models of providers that the settings name.

    Args:
        models: The settings.
        client: Calls providers.
        environment: Where the variables with keys are.
    """

    def __init__(
        self, models: ModelsFile, client: HttpClient, environment: Mapping[str, str]
    ) -> None:
        self._models = models
        self._client = client
        self._environment = environment

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

    def model(self, rung: ModelRung) -> ChatModel:
        """Return whom a rung asks.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        provider = self.provider(rung)
        prefills = self.continues(rung) is Continuation.PREFILL
        endpoint = _endpoint(
            rung,
            provider,
            _PATHS[provider.api],
            prefill_message=provider.prefill_message if prefills else {},
            prefill_body=provider.prefill_body if prefills else {},
        )
        key = self.key(rung)
        if provider.api == "anthropic":
            return AnthropicModel(
                endpoint, rung.model, client=self._client_for(rung), key=key, prefills=prefills
            )
        return OpenAIModel(endpoint, rung.model, client=self._client_for(rung), key=key)

    def text_model(self, rung: ModelRung) -> TextModel | None:
        """Return whom a rung asks to continue texts; None if that is nobody.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        provider = self.provider(rung)
        completes = provider.completions if rung.completions is None else rung.completions
        if provider.api != "openai" or not completes:
            return None
        endpoint = _endpoint(rung, provider, "/completions")
        return OpenAITexts(endpoint, rung.model, client=self._client_for(rung), key=self.key(rung))

    def embedding_model(self, rung: EmbeddingRung) -> EmbeddingModel:
        """Return whom a rung asks for vectors.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        endpoint = _endpoint(rung, self.provider(rung), "/embeddings")
        key = self.key(rung)
        return OpenAIEmbeddings(
            endpoint, rung.model, client=self._client_for(rung), key=key, batch=rung.batch
        )

    def listing(self, rung: ProviderRung) -> Listing:
        """Return what tells whether a provider has a rung's model.

        Raises:
            ConfigurationError: The provider's key is missing.
            StorageError: The file with its key cannot be read.
        """
        provider = self.provider(rung)
        endpoint = _endpoint(rung, provider, "/models")
        if provider.api == "anthropic":
            headers = {"anthropic-version": VERSION, **endpoint.headers}
            endpoint = msgspec.structs.replace(endpoint, headers=headers)
        return Listing(endpoint, client=self._client_for(rung), key=self.key(rung))

    def _client_for(self, rung: ProviderRung) -> HttpClient:
        match self.provider(rung).proxy:
            case None:
                return self._client
            case "none":
                return self._client.through(None)
            case url:
                return self._client.through(Proxy.parse(url))

    def provider(self, rung: ProviderRung) -> ProviderSettings:
        """Return how a rung's provider is asked.

        Raises:
            ConfigurationError: Nobody knows where it listens.
        """
        provider = provider_settings(rung.provider, self._models.providers)
        if provider is None or provider.url is None:
            raise ConfigurationError(reason=f"nobody knows where {rung.provider} listens")
        return provider

    def key(self, rung: ProviderRung) -> SecretStr | None:
        """Return the key of a rung's provider; None if it wants none.

        Raises:
            ConfigurationError: It is missing.
            StorageError: The file that holds it cannot be read.
        """
        return provider_key(rung.provider, self.provider(rung), self._environment)

    def continues(self, rung: ModelRung) -> Continuation:
        """Return how a rung's model goes on with an answer that broke off."""
        prefills = self.provider(rung).prefill if rung.prefill is None else rung.prefill
        return Continuation.PREFILL if prefills else Continuation.INSTRUCTION


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
