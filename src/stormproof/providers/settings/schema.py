"""The tables of ``stormproof.toml`` that say who may answer for a model's name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from stormproof.errors import ConfigurationError
from stormproof.providers.chat import Capability
from stormproof.providers.http.client import parse_url
from stormproof.recovery import FailoverOrder

_MOST_RUNGS: Final = 64
_DAY: Final = 86_400
_REDIS: Final = frozenset({"redis", "rediss", "unix"})
_KEY_HEADERS: Final = frozenset({"authorization", "api-key", "x-api-key", "cookie"})
_TOKEN: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"  # noqa: S105 - RFC 9110's name for such a word


def _checked_url(url: str) -> str:
    try:
        parse_url(url)
    except ConfigurationError as error:
        raise ValueError(error.reason) from None  # the original may quote a password
    if "?" in url or "#" in url:
        raise ValueError("must end with its path")
    return url.rstrip("/")


def _checked_redis(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise ValueError("is not a URL") from None  # the original quotes it
    if parts.scheme not in _REDIS:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if secret:
        raise ValueError("passwords are not written here: use url_env")
    return url


def _checked_header(name: str) -> str:
    if name.lower() in _KEY_HEADERS:
        raise ValueError("keys are not written here: use key_env or key_file")
    return name.lower()


Seconds: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=_DAY, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Tokens: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Price: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Weight: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Url: TypeAlias = Annotated[str, AfterValidator(_checked_url)]
RedisUrl: TypeAlias = Annotated[str, AfterValidator(_checked_redis)]
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=_TOKEN, max_length=128)]
OpenHeaderName: TypeAlias = Annotated[HeaderName, AfterValidator(_checked_header)]
HeaderValue: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=4096)
]
Variable: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=128)
]
ProviderName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)
]
ModelName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=256)
]
"""What a header can say."""


class Table(BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Table):
    """What we may ask for; at a provider, of all its models together."""

    requests_per_minute: Count | None = Field(
        default=None, description="Most requests in a minute; the next rung answers others."
    )
    tokens_per_minute: Tokens | None = Field(
        default=None, description="Most tokens in a minute, of prompts and answers; the same."
    )
    concurrency: Count | None = Field(default=None, description="Most requests at once; the same.")


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


class PriceSettings(Table):
    """What a million tokens cost, in whatever money."""

    input: Price = Field(description="For a million tokens of prompts.")
    output: Price = Field(description="For a million tokens of answers.")


class ModelRung(Limits):
    """A model of a provider."""

    provider: ProviderName = Field(description="A table of `[providers]`, or a preset.")
    model: ModelName = Field(description="What the provider calls the model.")
    deadline: Seconds = Field(
        default=60.0, description="Seconds for a whole answer, or for the beginning of a stream."
    )
    idle: Seconds = Field(default=30.0, description="Seconds for each further piece of a stream.")
    weight: Weight = Field(
        default=1.0,
        description="How often it is asked first beside the others, where they are drawn; with 0"
        " only when those cannot answer, in any order but `listed`.",
    )
    context: Tokens | None = Field(
        default=None, description="Tokens of prompt and answer; it is not asked for more."
    )
    capabilities: frozenset[Capability] = Field(
        default=frozenset(Capability), description="What it can do; by default everything."
    )
    price: PriceSettings | None = Field(default=None, description="What its tokens cost.")
    prefill: Flag | None = Field(
        default=None,
        description="Whether it goes on with a last message of the assistant;"
        " by default as its provider's models do.",
    )

    @property
    def name(self) -> str:
        """What headers, events and errors call it."""
        return f"{self.provider}/{self.model}"


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


def _kind(rung: Any) -> str | None:
    return next((kind for kind in RUNGS if kind in rung), None) if isinstance(rung, dict) else None


RungSettings: TypeAlias = Annotated[
    Annotated[ModelRung, Tag("provider")]
    | Annotated[EngineRung, Tag("engine")]
    | Annotated[CachedRung, Tag("cached")]
    | Annotated[AnswerRung, Tag("answer")],
    Discriminator(
        _kind,
        custom_error_type="rung_kind",
        custom_error_message="must be a table with one of these keys: " + ", ".join(RUNGS),
    ),
]


def _not_empty(rungs: Any) -> Any:
    if rungs == []:
        raise ValueError("must hold somebody who answers")
    return rungs


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
        tuple[RungSettings, ...], Field(max_length=_MOST_RUNGS), BeforeValidator(_not_empty)
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
    redis: RedisSettings | None = Field(
        default=None, description="What several processes share; by default nothing."
    )

    @property
    def computes(self) -> bool:
        """Whether the engine of this process may be asked."""
        rungs = (rung for ladder in self.models.values() for rung in ladder.rungs)
        return any(isinstance(rung, EngineRung) for rung in rungs)
