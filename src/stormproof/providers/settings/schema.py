"""The tables of ``stormproof.toml`` that say who may answer for a model's name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag

from stormproof.providers.chat import Capability
from stormproof.providers.settings.hosts import EmbedderRung, EmbeddingSettings
from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.tables import (
    MOST_RUNGS,
    Flag,
    HeaderName,
    HeaderValue,
    Limits,
    ModelName,
    OpenHeaderName,
    ProviderName,
    ProxyUrl,
    RedisUrl,
    Seconds,
    Table,
    Tokens,
    Url,
    Variable,
    Weight,
    kind_of,
    not_empty,
)
from stormproof.recovery import FailoverOrder


class ProviderSettings(Limits):
    """A table ``[providers.NAME]``: where a provider listens, and how it wants to be asked."""

    preset: str | None = Field(
        default=None, description="Whose defaults these fields have; by default the table's name."
    )
    api: Literal["openai", "anthropic"] = Field(
        default="openai", description="Whose API it speaks: `openai` or `anthropic`."
    )
    url: Url | None = Field(
        default=None, description="Base URL, up to `/chat/completions` or `/messages`."
    )
    key_env: Variable | None = Field(
        default=None,
        description="Environment variable that holds the key; none where none is needed.",
    )
    key_file: Path | None = Field(
        default=None, description="File that holds the key, instead of an environment variable."
    )
    key_header: HeaderName = Field(
        default="authorization", description="Header that takes the key."
    )
    key_prefix: HeaderValue = Field(
        default="Bearer ", description="What stands before the key there."
    )
    headers: Mapping[OpenHeaderName, HeaderValue] = Field(
        default={}, description="Sent with each request; no keys."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="`http://host:port` of a proxy, or `none`; by default as `HTTPS_PROXY`,"
        " `HTTP_PROXY` and `NO_PROXY` say.",
    )
    heeds_deadlines: Flag = Field(
        default=False, description="Whether it is told how much time is left: a Stormproof is."
    )
    counts_streams: Flag = Field(
        default=True, description="Whether `stream_options` may ask for the tokens of a stream."
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        default=None,
        description="The field that limits an answer; by default the one that the client used.",
    )
    completions: Flag = Field(
        default=False, description="Whether models also continue texts, at `/completions`."
    )
    lists_models: Flag = Field(
        default=True,
        description="Whether what `GET /models` does not name is not there; if not, only a call"
        " tells (`stormproof doctor --call`).",
    )
    prefill: Flag = Field(
        default=False, description="Whether models go on with a last message of the assistant."
    )
    prefill_message: Mapping[str, bool] = Field(
        default={}, description="Fields that such a message then needs."
    )
    prefill_body: Mapping[str, bool] = Field(
        default={}, description="Fields that the request then needs."
    )

    def over(self, preset: "ProviderSettings") -> "ProviderSettings":
        """Return these settings, and the preset's where nothing is said."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return preset.model_copy(update=said)


class ModelRung(ProviderRung):
    """A model that converses."""

    idle: Seconds = Field(default=30.0, description="Seconds for each further piece of a stream.")
    context: Tokens | None = Field(
        default=None, description="Tokens of prompt and answer; it is not asked for more."
    )
    capabilities: frozenset[Capability] = Field(
        default=frozenset(Capability), description="What it can do; by default everything."
    )
    completions: Flag | None = Field(
        default=None,
        description="Whether it also continues texts, at `/v1/completions`; by default as its"
        " provider's models do.",
    )
    prefill: Flag | None = Field(
        default=None,
        description="Whether it goes on with a last message of the assistant;"
        " by default as its provider's models do.",
    )


class EngineRung(Table):
    """The engine of this process."""

    name: ClassVar[str] = "engine"

    engine: Literal[True] = Field(description="Always `true`.")
    deadline: Seconds = Field(default=60.0, description="As for a provider's model.")
    idle: Seconds = Field(default=30.0, description="As for a provider's model.")
    weight: Weight = Field(default=1.0, description="As for a provider's model.")


class CachedRung(Table):
    """An answer that was given to the same request lately."""

    name: ClassVar[str] = "cached"

    cached: Literal[True] = Field(description="Always `true`.")
    max_age: Seconds = Field(default=3600.0, description="Seconds for which an answer is good.")
    max_bytes: Annotated[int, Field(strict=True, ge=1 << 16, le=1 << 40)] = Field(
        default=64 << 20, description="Memory for answers."
    )


class AnswerRung(Table):
    """A text that answers everything."""

    name: ClassVar[str] = "default"

    answer: Annotated[str, StringConstraints(min_length=1, max_length=1 << 16)] = Field(
        description="The text."
    )


RUNGS: Final[Mapping[str, type[Table]]] = {
    "provider": ModelRung,
    "engine": EngineRung,
    "cached": CachedRung,
    "answer": AnswerRung,
}
"""The kinds of rungs, by the key that tells them apart."""


RungSettings: TypeAlias = Annotated[
    Annotated[ModelRung, Tag("provider")]
    | Annotated[EngineRung, Tag("engine")]
    | Annotated[CachedRung, Tag("cached")]
    | Annotated[AnswerRung, Tag("answer")],
    Discriminator(
        lambda rung: kind_of(rung, RUNGS),
        custom_error_type="rung_kind",
        custom_error_message="must be a table with one of these keys: " + ", ".join(RUNGS),
    ),
]


class LadderSettings(Table):
    """A table ``[models.NAME]``: who may answer for a name, the best first."""

    deadline: Seconds = Field(default=600.0, description="Seconds for everything together.")
    order: FailoverOrder = Field(
        default=FailoverOrder.LISTED,
        description="Who is asked first: `listed`, `weighted` or `fastest`.",
    )
    stream: Literal["resume", "fail"] = Field(
        default="resume",
        description="What becomes of a stream that breaks off, unless the client says.",
    )
    rungs: Annotated[
        tuple[RungSettings, ...], Field(max_length=MOST_RUNGS), BeforeValidator(not_empty)
    ] = Field(description="Who may answer.")


class RedisSettings(Table):
    """The table `[redis]`: where processes and machines share circuits, limits and rests."""

    url: RedisUrl | None = Field(
        default=None, description="`redis://`, `rediss://` or `unix://`, without a password."
    )
    url_env: Variable | None = Field(
        default=None, description="Environment variable that holds the URL, instead."
    )
    prefix: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        default="stormproof", description="Begins every key; those with another share nothing."
    )


class ModelsFile(Table):
    """All of them together."""

    providers: Mapping[ProviderName, ProviderSettings] = Field(
        default={}, description="Who is asked."
    )
    models: Mapping[ModelName, LadderSettings] = Field(
        default={}, description="What clients may ask for."
    )
    embeddings: Mapping[ModelName, EmbeddingSettings] = Field(
        default={}, description="Which embedding models clients may ask for."
    )

    redis: RedisSettings | None = Field(
        default=None, description="What several processes share; by default nothing."
    )

    @property
    def computes(self) -> bool:
        """Whether the engine of this process may be asked."""
        rungs = (rung for ladder in self.models.values() for rung in ladder.rungs)
        return any(isinstance(rung, EngineRung) for rung in rungs)

    @property
    def embedders(self) -> frozenset[str]:
        """Which embedding models have to be loaded here."""
        rungs = (rung for ladder in self.embeddings.values() for rung in ladder.rungs)
        return frozenset(rung.embedder for rung in rungs if isinstance(rung, EmbedderRung))
