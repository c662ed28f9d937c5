"""The tables ``[reflex…]`` of ``stormproof.toml``: what requests pass, and who passes what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from stormproof.providers.settings.tables import Count, Flag, ModelName, Table, Tokens, Variable
from stormproof.reflex.budgets.stage import Unpriced
from stormproof.reflex.injection.stage import InjectionAction
from stormproof.reflex.limits.limit_settings import MOST_MONEY
from stormproof.reflex.line import OnFailure
from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.policy import PiiAction


def _checked_database(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise ValueError("is not a URL") from None  # the original quotes it
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if secret:
        raise ValueError("passwords are not written here: use STORMPROOF_DATABASE_URL")
    return url


DatabaseUrl: TypeAlias = Annotated[str, AfterValidator(_checked_database)]
KeyName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=256)
]
_Age: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=31 * 86_400, allow_inf_nan=False)]
_Room: TypeAlias = Annotated[int, Field(strict=True, ge=1 << 16, le=1 << 40)]
_Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
_Money: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=MOST_MONEY, allow_inf_nan=False)]
_Kinds: TypeAlias = Annotated[tuple[Kind, ...], AfterValidator(lambda kinds: (*sorted(kinds),))]
_Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
_Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]
_Roles: TypeAlias = Annotated[tuple[_Role, ...], AfterValidator(lambda roles: (*sorted(roles),))]
_Characters: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1 << 26)]


General = TypeVar("General", bound="Layer")


class Layer(Table):
    """A table that says something more special than another one does."""

    def over(self, general: General) -> General:
        """Return these settings, and the general ones where nothing is said."""
        said = {name: _over(getattr(self, name), getattr(general, name)) for name in self._said()}
        return general.model_copy(update=said)

    def _said(self) -> frozenset[str]:
        return frozenset(self.model_fields_set)


class StageTable(Layer):
    """What every stage's table may say."""

    enabled: Flag = Field(default=True, description="Whether requests pass this stage.")
    on_failure: OnFailure = Field(
        default=OnFailure.CLOSED,
        description="What becomes of a request that it could not look at: `open` lets it pass,"
        " `closed` turns it away.",
    )


class ValidateTable(StageTable):
    """Bounds of what is looked at, and passed on."""

    max_messages: Count = Field(default=2000, description="Most messages of a conversation.")
    max_characters: _Characters = Field(
        default=400_000, description="Most characters of all texts of a request together."
    )
    max_tools: Count = Field(default=256, description="Most tools that a model may call.")
    max_depth: Annotated[int, Field(strict=True, ge=4, le=128)] = Field(
        default=64, description="Most levels of lists and objects in a conversation's request."
    )
    control_characters: Flag = Field(
        default=True, description="Whether texts may hold any but tabs and ends of lines."
    )


class PiiTable(StageTable):
    """Personal data and secrets, in requests and in what models say."""

    action: PiiAction = Field(
        default=PiiAction.REDACT,
        description="What is done about what is found: `block`, `redact` or `report`.",
    )
    actions: Mapping[Kind, PiiAction] = Field(
        default={}, description="What is done about some kinds, in place of that."
    )
    ignore: _Kinds = Field(default=(), description="Kinds that are let pass.")
    names: _Name | None = Field(
        default=None,
        description="A model of spaCy's that finds names of people and places, such as"
        " `en_core_web_sm`; by default they are let pass.",
    )
    answers: Flag = Field(
        default=False, description="Whether what a model says is looked through, too."
    )
    max_characters: _Characters = Field(
        default=1_000_000,
        description="Most characters of all texts of a request together; one with more could not be"
        " looked at.",
    )
    key_env: Variable | None = Field(
        default=None,
        description="Environment variable with a secret of which placeholders are made, and other"
        " names for users with personal ones, so that all processes make the same; by default each"
        " process has its own for placeholders, and each machine's database one for users.",
    )


class InjectionTable(StageTable):
    """Texts that would have a model obey them."""

    action: InjectionAction = Field(
        default=InjectionAction.BLOCK,
        description="What becomes of a request with one: `block` or `report`.",
    )
    threshold: _Severity = Field(
        default="high",
        description="From which severity on one counts: `low`, `medium`, `high` or `critical`.",
    )
    tool_threshold: _Severity = Field(
        default="medium", description="The same for what tools gave, and for their definitions."
    )
    definitions: InjectionAction = Field(
        default=InjectionAction.REPORT,
        description="What becomes of a request in which one was found in a tool's definition:"
        " `block` or `report`.",
    )
    trusted: _Roles = Field(
        default=("assistant", "developer", "system"),
        description="Roles whose texts are not looked at: `system`, `developer`, `user`,"
        " `assistant`, `tool` or `function`.",
    )
    max_characters: _Characters = Field(
        default=1_000_000,
        description="How many characters of a request are looked at, from its newest text on; one"
        " with more in which nothing was found could not be looked at.",
    )


class LimitTable(Layer):
    """What one may use, or all together; what is not named is not limited."""

    requests_per_minute: Count | None = Field(
        default=None, description="Most requests in a minute."
    )
    tokens_per_minute: Tokens | None = Field(
        default=None, description="Most tokens in a minute, of prompts and answers."
    )
    concurrency: Count | None = Field(default=None, description="Most requests at once.")
    money_per_day: _Money | None = Field(
        default=None, description="Most that may be spent in a day (UTC), in the prices' money."
    )
    money_per_month: _Money | None = Field(
        default=None, description="The same in a month of the calendar."
    )


class LimitsTable(StageTable):
    """What may be used in some time."""

    on_failure: OnFailure = Field(default=OnFailure.OPEN, description="As for every stage.")
    key: LimitTable | None = Field(default=None, description="What every key may use.")
    user: LimitTable | None = Field(default=None, description="What every user may use.")
    address: LimitTable | None = Field(default=None, description="What every address may use.")
    model: LimitTable | None = Field(default=None, description="What every model may be used.")
    all: LimitTable | None = Field(default=None, description="What all together may use.")


class BudgetTable(StageTable):
    """Money, as far as limits name any."""

    unpriced: Unpriced = Field(
        default=Unpriced.REJECT,
        description="What becomes of a request that has a budget, to a model whose price is not"
        " known: `reject`, or `free`, which lets it pass.",
    )


class CacheTable(StageTable):
    """Answers that are given again to the same request."""

    on_failure: OnFailure = Field(
        default=OnFailure.OPEN,
        description="As for every stage; while a store fails, none is found.",
    )
    file: Path | None = Field(
        default=None,
        description="File in which answers outlast the process; by default they are in its memory.",
    )
    url_env: Variable | None = Field(
        default=None,
        description="Environment variable with the URL of a Redis server where processes and"
        " machines share answers, instead.",
    )
    secret_env: Variable | None = Field(
        default=None,
        description="Environment variable with a secret of 16 bytes or more, by which answers are"
        " found and known to be genuine. Redis needs it; a file has one beside it by default.",
    )
    max_bytes: _Room = Field(default=64 << 20, description="Room in memory, or in the file.")
    chat: _Age = Field(default=3600.0, description="Seconds for which an answer is good.")
    completion: _Age = Field(
        default=3600.0, description="Seconds for which the continuation of a text is."
    )
    tool_calls: _Age = Field(
        default=300.0, description="Seconds for which an answer is that calls tools."
    )
    similar: _Age = Field(
        default=3600.0,
        description="Seconds for which an answer is to a question that means the same.",
    )
    stale: _Age = Field(
        default=86_400.0,
        description="Seconds for which an answer is kept on, for a model's rung `cached`.",
    )
    max_temperature: Annotated[float, Field(strict=True, ge=0, le=10)] | None = Field(
        default=None,
        description="Answers to requests with a higher temperature, or with none, are not kept; by"
        " default all are.",
    )
    patience: Annotated[float, Field(strict=True, ge=0, le=3600)] = Field(
        default=60.0,
        description="Seconds that a request waits for the same one under way; with 0 none does.",
    )


class SimilarTable(StageTable):
    """Answers that are given again to a question that means the same."""

    on_failure: OnFailure = Field(default=OnFailure.OPEN, description="As for every stage.")
    embeddings: ModelName = Field(
        description="The embedding model: the name of a table `[embeddings.NAME]`."
    )
    threshold: Annotated[float, Field(strict=True, ge=0.5, le=1)] = Field(
        default=0.95, description="Cosine between the vectors of two such questions, at least."
    )
    most: Count = Field(default=4096, description="Questions that are remembered.")


class StageTables(Layer):
    """What a request passes; a stage without a table is none, but for `validate`."""

    checks: ValidateTable = Field(
        default=ValidateTable(), alias="validate", description="Bounds of requests."
    )
    cache: CacheTable | None = Field(
        default=None, description="Answers that are given again to the same request."
    )
    pii: PiiTable | None = Field(default=None, description="Personal data and secrets.")
    injection: InjectionTable | None = Field(
        default=None, description="Texts that would have a model obey them."
    )
    similar: SimilarTable | None = Field(
        default=None,
        description="Answers that are given again to a question that means the same; `cache` says"
        " where they are kept.",
    )


class SpecialTables(StageTables):
    """What is different for a model or a key."""

    limits: LimitTable | None = Field(
        default=None, description="What it may use, in place of what every other may."
    )

    def _said(self) -> frozenset[str]:
        return super()._said() - {"limits"}  # which hold for all lines alike


class ReflexTables(StageTables):
    """All of them: what everybody's requests pass, and those for some models and some keys."""

    database: DatabaseUrl | None = Field(
        default=None,
        description="Where keys and usage are: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`,"
        " without a password; by default `STORMPROOF_DATABASE_URL`, which comes first, or"
        " `stormproof.db` if there is such a file.",
    )
    journals: Path | None = Field(
        default=None,
        description="Folder in which what requests took waits for the database; by default beside"
        " its file, or `stormproof.journals`.",
    )
    limits: LimitsTable | None = Field(
        default=None, description="Requests, tokens, requests at once, and money."
    )
    budget: BudgetTable = Field(
        default=BudgetTable(), description="What becomes of requests that cost money."
    )
    models: Mapping[ModelName, SpecialTables] = Field(
        default={}, description="What is different for models, by what clients call them."
    )
    keys: Mapping[KeyName, SpecialTables] = Field(
        default={}, description="What is different for keys, by their names."
    )


def _over(special: Any, general: Any) -> Any:
    both = isinstance(special, Layer) and isinstance(general, Layer)
    return special.over(general) if both else special
