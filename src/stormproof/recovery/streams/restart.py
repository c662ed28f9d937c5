"""Beginning a broken stream again, and saying so."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import Problems
from stormproof.recovery.classification import ErrorFilter, is_filter, retry_filter
from stormproof.recovery.events import StreamRestarted, bus
from stormproof.recovery.options import check_count
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.streams.delivery import Reset


@dataclass(frozen=True, kw_only=True)
class Restart(Strategy):
    """Calls the source of a broken stream again, from the start, and announces it.

    Between what is void and what comes instead the consumer finds a ``Reset``, and discards what
    it has:

    ```python
    @Pipeline(Restart(), Retry())
    async def answer(question: str) -> AsyncIterator[str | Reset]: ...

    async for piece in answer("why?"):
        if isinstance(piece, Reset):
            text.clear()
        else:
            text.append(piece)
    ```

    For sources that cannot go on where they broke, as a ``Resume`` needs it. A stream that breaks
    before its first item is passed on, for a ``Retry`` inside to try again. Calls and coroutines
    pass through: they deliver nothing before their end.

    Args:
        times: How often at most, for one stream; 1 to 1,000,000.
        restart_on: Which errors to restart after. By default what the error says: ``retriable``,
            for foreign exceptions after translation.
        name: What events call it.
    """

    times: int = 1
    restart_on: ErrorFilter | None = None
    name: str = "restart"
    _begins_again: Callable[[Exception], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = Problems()
        check_count(problems, "times", self.times)
        fine = self.restart_on is None or is_filter(self.restart_on)
        problems.check(fine, "restart_on", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the restart is not valid")
        # Not an option but made from one; the instance is frozen.
        vars(self)["_begins_again"] = retry_filter(self.restart_on)

    def __str__(self) -> str:
        return f"Restart up to {self.times} times"

    def guard_call(self, call: Call, site: Site) -> Call:  # noqa: ARG002 - nothing to take back
        """Guard a sync function: it delivers nothing before its end."""
        return call

    def guard_coroutine(self, call: Call, site: Site) -> Call:  # noqa: ARG002
        """Guard a function that returns an awaitable: it delivers nothing before its end."""
        return call

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            yielding = False
            for left in reversed(range(self.times + 1)):
                delivered = 0
                try:
                    async with aclosing(call(*args, **kwargs)) as items:
                        async for item in items:
                            if type(item) is Reset:
                                delivered = item.take_back(delivered)
                            else:
                                delivered += 1
                            yielding = True
                            yield item
                            yielding = False
                except Exception as error:
                    # What a consumer throws in, or closing for it brings up, broke no stream.
                    if yielding or not delivered or not left or not self._begins_again(error):
                        raise
                    self._tell(site, delivered, error)
                    yield Reset(delivered=delivered, error=error)
                else:
                    return

        return guarded

    def _tell(self, site: Site, delivered: int, error: Exception) -> None:
        if bus.listeners:
            bus.publish(
                StreamRestarted(
                    pipeline=site.pipeline, strategy=self.name, delivered=delivered, error=error
                )
            )
