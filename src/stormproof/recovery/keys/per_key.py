"""One strategy for each key: a circuit for each model, a limit for each tenant."""

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from stormproof.errors import ConfigurationError, Problems
from stormproof.recovery.keys.key_table import Entry, KeyTable
from stormproof.recovery.options import check_count
from stormproof.recovery.strategy import Call, Site, Strategy

K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound=Strategy)

_MOST: Final = 100_000


@dataclass(frozen=True, eq=False)
class PerKey(Strategy, Generic[K, S]):
    """Guards every call with the strategy of its key.

    ```python
    breakers = PerKey(
        lambda *_, model, **__: model,
        lambda model: CircuitBreaker(f"openai/{model}"),
    )
    ```

    The strategies belong to the ``PerKey``: pipelines that share it share them, calls of different
    keys share nothing. What ``key`` or ``make`` raises reaches the caller.

    Args:
        key: Takes the arguments of a guarded call and returns its key, anything that can be hashed.
        make: Makes the strategy of a new key. Of two that are made at once one is used.
        most: How many keys are kept; 1 to 100,000. With more, one that was not used lately is
            forgotten with all that its strategy knew; calls that are out finish under it.

    Raises:
        ConfigurationError: At the guarded call, when ``key`` returns what cannot be hashed, or
            ``make`` what is no strategy.
    """

    key: Callable[..., K]
    make: Callable[[K], S]
    most: int = 1000
    _table: KeyTable[K, S] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from inspect import iscoroutinefunction  # noqa: PLC0415 - heavy

        problems = Problems()
        problems.check(callable(self.key), "key", "must be a function", "callable")
        fine = not iscoroutinefunction(self.key)
        problems.check(fine, "key", "must not be an async function", "callable")
        problems.check(callable(self.make), "make", "must be a function", "callable")
        check_count(problems, "most", self.most, most=_MOST)
        problems.raise_if_any("the strategy per key is not valid")
        # Not an option: the instance is frozen, keys come and go.
        vars(self)["_table"] = KeyTable(self._make, self.most)

    def __str__(self) -> str:
        return f"PerKey up to {self.most}"

    @property
    def strategies(self) -> Mapping[K, S]:
        """The strategies there are now, by key."""
        return self._table.values()

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        key_of = site.substitute(self.key)
        guard_of = self._guards(lambda strategy: strategy.guard_call(call, site))

        def guarded(*args: Any, **kwargs: Any) -> Any:
            return guard_of(key_of(*args, **kwargs))(*args, **kwargs)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        key_of = site.substitute(self.key)
        guard_of = self._guards(lambda strategy: strategy.guard_coroutine(call, site))

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await guard_of(key_of(*args, **kwargs))(*args, **kwargs)

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        key_of = site.substitute(self.key)
        guard_of = self._guards(lambda strategy: strategy.guard_stream(call, site))

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            async with aclosing(guard_of(key_of(*args, **kwargs))(*args, **kwargs)) as items:
                async for item in items:
                    yield item

        return guarded

    def _guards(self, compiled: Callable[[S], Call]) -> Callable[[K], Call]:
        """Return what finds the guard for a key, compiled once."""
        entry_of = self._table.entry
        known: dict[K, tuple[Entry[S], Call]] = {}

        def guard_of(key: K) -> Call:
            entry = entry_of(key)
            found = known.get(key)
            if found is not None and found[0] is entry:
                return found[1]
            if len(known) >= self.most:
                known.clear()  # some are of keys that the table has forgotten
            guard = compiled(entry.value)
            known[key] = entry, guard
            return guard

        return guard_of

    def _make(self, key: K) -> S:
        strategy = self.make(key)
        if not isinstance(strategy, Strategy):
            reason = f"it made something that is no strategy: {type(strategy).__name__}"
            raise ConfigurationError(setting="make", reason=reason)
        return strategy
