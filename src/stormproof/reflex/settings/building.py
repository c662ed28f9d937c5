"""Stages, as the settings say."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from secrets import token_bytes
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from stormproof.errors import ConfigurationError
from stormproof.providers import EmbeddingLadder, Kept, ModelsFile
from stormproof.reflex.injection.finding import InjectionSeverity
from stormproof.reflex.injection.stage import InjectionStage
from stormproof.reflex.kept_secret import SECRET_BYTES
from stormproof.reflex.keys import ScopeStage
from stormproof.reflex.line import OnFailure, Reflex, Step
from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.settings.caching import CacheBuilder, guard_of
from stormproof.reflex.settings.limiting import LimitsBuilder
from stormproof.reflex.settings.lines import Lines
from stormproof.reflex.settings.secret import secret_in
from stormproof.reflex.settings.tables import (
    InjectionTable,
    PiiTable,
    ReflexTables,
    StageTable,
    StageTables,
    ValidateTable,
)
from stormproof.reflex.stage import Stage
from stormproof.reflex.usage import UsageStage
from stormproof.reflex.validating import ValidateStage

if TYPE_CHECKING:
    from stormproof.reflex.pii.detector import Detector
    from stormproof.reflex.pii.finder import Finder
    from stormproof.reflex.pii.pseudonyms import Pseudonyms
    from stormproof.reflex.sql import Books

T = TypeVar("T")
Named = TypeVar("Named", bound=StageTable)


class LineBuilder:
    """Makes the lines that the settings describe.

    Args:
        kept: What other builders have made, of which all that has not changed is used on: caches,
            counters, stages.
        environment: Where the variables with secrets are.
        books: Keys and usage, where there is a database.
        models: What they say of models: their prices, and what processes share.
        embeddings: Who embeds, by the names of models.
    """

    def __init__(
        self,
        kept: Kept,
        environment: Mapping[str, str],
        books: "Books | None" = None,
        *,
        models: ModelsFile | None = None,
        embeddings: Mapping[str, EmbeddingLadder] = MappingProxyType({}),
    ) -> None:
        self._kept = kept
        self._environment = environment
        self._books = books
        self._models = models or ModelsFile()
        self._caches = CacheBuilder(kept, environment, embeddings)

    def lines(self, tables: ReflexTables) -> Lines:
        """Return them.

        Raises:
            ConfigurationError: A stage cannot be made: its library is missing, or a secret.
        """
        spending = self._books.usage if self._books else None
        bounds = LimitsBuilder(tables, self._models, self._environment, spending, self._kept)
        pii = tables.pii if tables.pii and tables.pii.enabled else None
        return Lines(
            tables,
            partial(self._line, bounds.limits(), bounds.budget()),
            _made(self._pseudonyms, pii) if pii else None,
        )

    def _line(self, limits: Sequence[Step], budget: Sequence[Step], tables: StageTables) -> Reflex:
        """Return the stages, in the order in which a request passes them."""
        guard = guard_of(tables)
        return Reflex(
            [
                *self._made(tables.checks, _validate),
                *self._scope(),
                *limits,
                *self._usage(),
                *self._made(tables.cache, partial(self._caches.exact, guard), guard),
                *self._made(tables.pii, self._pii),
                *self._made(tables.injection, self._injection),
                *self._made(
                    tables.similar, partial(self._caches.similar, guard, tables.cache), guard
                ),
                *budget,
            ]
        )

    def _scope(self) -> Iterator[Step]:
        if self._books:
            yield Step(ScopeStage(self._books.keys), OnFailure.CLOSED)

    def _usage(self) -> Iterator[Step]:
        if self._books:
            yield Step(UsageStage(self._books.ledger.record), OnFailure.OPEN)

    def _made(
        self, table: StageTable | None, make: Callable[[Any], Stage], guard: str = ""
    ) -> Iterator[Step]:
        """Yield a stage, if settings want it; the same for the same.

        Args:
            table: Its settings.
            make: Makes it of them.
            guard: What else it is made of.
        """
        if table is not None and table.enabled:
            described = (type(table), table.model_dump_json(), guard)
            stage = self._kept.one(partial(_made, make, table), *described)
            yield Step(stage, table.on_failure)

    def _pii(self, table: PiiTable) -> Stage:
        from stormproof.reflex.pii.detector import ALL  # noqa: PLC0415 - an extra
        from stormproof.reflex.pii.policy import PiiPolicy  # noqa: PLC0415
        from stormproof.reflex.pii.stage import PiiStage  # noqa: PLC0415

        return PiiStage(
            self._detector(ALL - {*table.ignore}),
            policy=PiiPolicy(table.action, table.actions),
            names=self._names(table.names) if table.names else None,
            answers=table.answers,
            most_characters=table.max_characters,
            key=self._secret("reflex.pii", table.key_env),
        )

    def _detector(self, kinds: Collection[Kind]) -> "Detector":
        from stormproof.reflex.pii.detector import Detector  # noqa: PLC0415 - an extra

        return self._kept.one(lambda: Detector(kinds), "detector", frozenset(kinds))

    def _pseudonyms(self, table: PiiTable) -> "Pseudonyms":
        """Return what users are called; without a secret that is kept, until this process ends."""
        from stormproof.reflex.pii.detector import ALL  # noqa: PLC0415 - an extra
        from stormproof.reflex.pii.pseudonyms import Pseudonyms  # noqa: PLC0415

        kept = self._books.secret if self._books else token_bytes(SECRET_BYTES)
        key = self._secret("reflex.pii", table.key_env) or kept
        make = partial(Pseudonyms, self._detector(ALL - {*table.ignore}), key)
        return self._kept.one(make, "pseudonyms", table.ignore, table.key_env)

    def _names(self, model: str) -> "Finder":
        from stormproof.reflex.pii.spacy import SpacyNames  # noqa: PLC0415 - an extra

        return self._kept.one(lambda: SpacyNames(model), "names", model)

    def _injection(self, table: InjectionTable) -> Stage:
        from stormproof.reflex.injection.guard import InjectionGuard  # noqa: PLC0415 - an extra

        return InjectionStage(
            self._kept.one(InjectionGuard, "injection guard"),
            action=table.action,
            threshold=InjectionSeverity[table.threshold.upper()],
            tool_threshold=InjectionSeverity[table.tool_threshold.upper()],
            definitions=table.definitions,
            trusted=table.trusted,
            most_characters=table.max_characters,
        )

    def _secret(self, setting: str, variable: str | None) -> bytes | None:
        return None if variable is None else secret_in(self._environment, variable, setting)


def _made(make: Callable[[Named], T], table: Named) -> T:
    try:
        return make(table)
    except ModuleNotFoundError as error:
        raise ConfigurationError(setting="reflex", reason=error.msg) from error


def _validate(table: ValidateTable) -> Stage:
    return ValidateStage(
        max_messages=table.max_messages,
        max_characters=table.max_characters,
        max_tools=table.max_tools,
        max_depth=table.max_depth,
        control_characters=table.control_characters,
    )
