"""The lines of stages that settings describe: one for all, and some for models and keys."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stormproof.reflex.caller import Caller
from stormproof.reflex.line import Reflex
from stormproof.reflex.settings.tables import ReflexTables, StageTables

if TYPE_CHECKING:
    from stormproof.reflex.pii.pseudonyms import Pseudonyms


class Lines:
    """What each request passes, by what is asked and who asks.

    Where a model and a key have settings of their own, the key's come before the model's, and both
    before those for all, field by field.

    Args:
        tables: The settings.
        build: Makes a line; of what differs in nothing it may make the same.
        pseudonyms: By which users go whose own names say who they are; None if all go by those.

    Raises:
        ConfigurationError: A stage cannot be made.
    """

    def __init__(
        self,
        tables: ReflexTables,
        build: Callable[[StageTables], Reflex],
        pseudonyms: "Pseudonyms | None" = None,
    ) -> None:
        self._tables: Final = tables
        self._build = build
        self._pseudonyms = pseudonyms
        self._general = build(tables)
        self._special: dict[tuple[str | None, str | None], Reflex] = {}
        for model in tables.models:
            self._line(model, None)
        for key in tables.keys:
            self._line(None, key)

    def of(self, model: str, caller: Caller) -> Reflex:
        """Return what a request passes.

        Args:
            model: What is asked.
            caller: Who asks.
        """
        if not self._special:
            return self._general
        own = model if model in self._tables.models else None
        key = caller.key if caller.key in self._tables.keys else None
        return self._line(own, key) if own or key else self._general

    def known(self, caller: Caller) -> Caller:
        """Return a caller as the stages may know him."""
        return self._pseudonyms.known(caller) if self._pseudonyms else caller

    def _line(self, model: str | None, key: str | None) -> Reflex:
        """Return the line for one of those that are named, or two: so there are not many."""
        if (model, key) not in self._special:
            tables: StageTables = self._tables
            if model:
                tables = self._tables.models[model].over(tables)
            if key:
                tables = self._tables.keys[key].over(tables)
            self._special[model, key] = self._build(tables)
        return self._special[model, key]
