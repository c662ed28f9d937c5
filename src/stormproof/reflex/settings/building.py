"""Stages, as the settings say."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stormproof.errors import ConfigurationError
from stormproof.providers import EmbeddingLadder, Kept
from stormproof.reflex.keys import ScopeStage
from stormproof.reflex.line import OnFailure, Reflex, Step
from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.settings.caching import CacheBuilder, guard_of
from stormproof.reflex.settings.lines import Lines
from stormproof.reflex.settings.secret import secret_in
from stormproof.reflex.settings.tables import (
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
    from stormproof.reflex.sql import Accounts


class LineBuilder:
    """Makes the lines that the settings describe.

    Args:
        kept: What other builders have made, of which all that has not changed is used on: caches,
            counters, stages.
        environment: Where the variables with secrets are.
        accounts: Keys and usage, where there is a database.
        embeddings: Who embeds, by the names of models.
    """

    def __init__(
        self,
        kept: Kept,
        environment: Mapping[str, str],
        accounts: "Accounts | None" = None,
        *,
        embeddings: Mapping[str, EmbeddingLadder] = MappingProxyType({}),
    ) -> None:
        self._kept = kept
        self._environment = environment
        self._accounts = accounts
        self._caches = CacheBuilder(kept, environment, embeddings)

    def lines(self, tables: ReflexTables) -> Lines:
        """Return them.

        Raises:
            ConfigurationError: A stage cannot be made: its library is missing, or a secret.
        """
        return Lines(tables, self._line)

    def _line(self, tables: StageTables) -> Reflex:
        return Reflex([*self._steps(tables)])

    def _steps(self, tables: StageTables) -> Iterator[Step]:
        """Yield the stages, in the order in which a request passes them."""
        guard = guard_of(tables)
        yield from self._made(tables.checks, _validate)
        if self._accounts:
            yield Step(ScopeStage(self._accounts.keys), OnFailure.CLOSED)
            yield Step(UsageStage(self._accounts.ledger.record), OnFailure.OPEN)
        yield from self._made(tables.cache, partial(self._caches.exact, guard), guard)
        yield from self._made(tables.pii, self._pii)
        similar = partial(self._caches.similar, guard, tables.cache)
        yield from self._made(tables.similar, similar, guard)

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
            self._detector(ALL - table.ignore),
            policy=PiiPolicy(table.action, table.actions),
            answers=table.answers,
            key=self._secret("reflex.pii", table.key_env),
        )

    def _detector(self, kinds: Collection[Kind]) -> "Detector":
        from stormproof.reflex.pii.detector import Detector  # noqa: PLC0415 - an extra

        return self._kept.one(lambda: Detector(kinds), "detector", frozenset(kinds))

    def _secret(self, setting: str, variable: str | None) -> bytes | None:
        return None if variable is None else secret_in(self._environment, variable, setting)


def _made(make: Callable[[Any], Stage], table: StageTable) -> Stage:
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
