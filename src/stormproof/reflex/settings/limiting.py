"""Limits and budgets, as the settings say."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from stormproof.providers import Kept, ModelsFile
from stormproof.providers.settings.sharing import shared_store
from stormproof.reflex.budgets.ledger import Balances, Ledger, LocalLedger
from stormproof.reflex.budgets.quotes import Quote, quotes
from stormproof.reflex.budgets.shared_ledger import SharedLedger
from stormproof.reflex.budgets.stage import BudgetStage
from stormproof.reflex.limits.applying import Limits
from stormproof.reflex.limits.gauges import Gauges, LocalGauges
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.shared_gauges import SharedGauges
from stormproof.reflex.limits.stage import LimitsStage
from stormproof.reflex.limits.subject import Scope
from stormproof.reflex.line import Step
from stormproof.reflex.settings.tables import LimitsTable, LimitTable, ReflexTables, SpecialTables

if TYPE_CHECKING:
    from stormproof.recovery.redis import RedisStore
    from stormproof.reflex.budgets.spending import Spending


class LimitsBuilder:
    """Makes the stages that bound what is used; all lines have the same ones.

    What was used is known in one place, in this process or in the Redis of the settings, and is
    still known there when limits change.

    Args:
        tables: What the settings say of stages.
        models: What they say of prices, and of what processes share.
        environment: Where variables are.
        books: Where it is written down what was spent before, and that keys may have limits of
            their own; None if nowhere.
        kept: What other builders have made.

    Raises:
        ConfigurationError: Processes are to share it, and where cannot be told.
    """

    def __init__(
        self,
        tables: ReflexTables,
        models: ModelsFile,
        environment: Mapping[str, str],
        books: "Spending | None",
        kept: Kept,
    ) -> None:
        self._table = tables.limits or LimitsTable()
        self._budget = tables.budget
        self._scopes = {scope: one for scope in Scope if (one := getattr(self._table, scope))}
        self._own = [_own(tables.keys), _own(tables.models)]
        self._models = models
        self._books = books
        self._kept = kept
        self._store: RedisStore | None = shared_store(models.redis, environment, kept)

    def limits(self) -> Sequence[Step]:
        """Return the stage for requests, tokens and requests at once, if anybody needs it."""
        if not self._table.enabled or not (self._books or self._all):
            return ()
        return [Step(LimitsStage(self._limits(), self._gauges()), self._table.on_failure)]

    def budget(self) -> Sequence[Step]:
        """Return the stage for money, if anybody needs it."""
        costs = any(
            one.money_per_day is not None or one.money_per_month is not None for one in self._all
        )
        if not self._budget.enabled or not (self._books or costs):
            return ()
        stage = BudgetStage(
            self._limits(),
            quotes(self._models),
            self._ledger(),
            otherwise=Quote(),  # what the settings do not name is this process's own, or not there
            unpriced=self._budget.unpriced,
        )
        return [Step(stage, self._budget.on_failure)]

    @property
    def _all(self) -> Sequence[LimitTable]:
        return [*self._scopes.values(), *(one for own in self._own for one in own.values())]

    def _limits(self) -> Limits:
        keys, models = ({name: _settings(one) for name, one in own.items()} for own in self._own)
        scopes = {scope: _settings(one) for scope, one in self._scopes.items()}
        return Limits(scopes, keys=keys, models=models)

    def _gauges(self) -> Gauges:
        if self._store:
            return self._kept.one(partial(SharedGauges, self._store), "gauges", self._store)
        return self._kept.one(LocalGauges, "gauges")

    def _ledger(self) -> Ledger:
        balances = self._kept.one(partial(Balances, self._books), "balances")
        if self._store:
            make = partial(SharedLedger, self._store, balances)
            return self._kept.one(make, "ledger", self._store)
        return self._kept.one(partial(LocalLedger, balances), "ledger")


def _own(tables: Mapping[str, SpecialTables]) -> Mapping[str, LimitTable]:
    return {name: table.limits for name, table in tables.items() if table.limits}


def _settings(table: LimitTable) -> LimitSettings:
    return LimitSettings(**table.model_dump())
