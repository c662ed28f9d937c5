"""Stages, as the settings say."""

from collections.abc import Hashable, Iterator, Sequence
from functools import partial

from stormproof.providers import Kept
from stormproof.reflex.line import Reflex, Step
from stormproof.reflex.settings.lines import Lines
from stormproof.reflex.settings.tables import ReflexTables, StageTable, StageTables, ValidateTable
from stormproof.reflex.stage import Stage
from stormproof.reflex.validating import ValidateStage


class LineBuilder:
    """Makes the lines that the settings describe.

    Args:
        kept: What other builders have made, of which all that has not changed is used on: caches,
            counters, stages.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def lines(self, tables: ReflexTables) -> Lines:
        """Return them.

        Raises:
            ConfigurationError: A stage cannot be made: its library is missing, or its store.
        """
        return Lines(tables, self._line)

    def _line(self, tables: StageTables) -> Reflex:
        return Reflex([*self._steps(tables)])

    def _steps(self, tables: StageTables) -> Iterator[Step]:
        """Yield the stages, in the order in which a request passes them."""
        for table, make in ((tables.checks, _validate),):
            if table.enabled:
                stage = self._kept.one(partial(make, table), *_described(table))
                yield Step(stage, table.on_failure)


def _described(table: StageTable) -> Sequence[Hashable]:
    return type(table), table.model_dump_json()


def _validate(table: ValidateTable) -> Stage:
    return ValidateStage(
        max_messages=table.max_messages,
        max_characters=table.max_characters,
        max_tools=table.max_tools,
        max_depth=table.max_depth,
        control_characters=table.control_characters,
    )
