"""Going on with a stream that broke, from what was delivered."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import Problems
from stormproof.recovery.classification import ErrorFilter, is_filter, matcher, verdict
from stormproof.recovery.events import StreamResumed, bus
from stormproof.recovery.strategy import Call, Site, Strategy


@dataclass(frozen=True, kw_only=True)
class Resume(Strategy):
    """Asks the source of a broken stream for the rest.

    The guarded function takes what was delivered as one more argument and yields only what comes
    after it:

    ```python
    @Pipeline(Resume(), Retry())
    async def answer(question: str, *, delivered: Sequence[str] = ()) -> AsyncIterator[str]: ...
    ```

    So nothing is repeated and nothing is lost, whatever source answers. A stream is resumed as
    often as it breaks, as long as each time brings something new: one that breaks before its
    first item is passed on, for a ``Retry`` inside to try again, patiently. Calls and coroutines
    pass through: they deliver nothing before their end.

    The items are kept until the stream ends.

    Args:
        parameter: The name of the argument that takes a tuple of the items delivered so far.
        resume_on: Which errors to resume after. By default what the error says: ``retriable``,
            for foreign exceptions after translation.
        name: What events call it.
    """

    parameter: str = "delivered"
    resume_on: ErrorFilter | None = None
    name: str = "resume"
    _matches: Callable[[Exception], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(
            str(self.parameter).isidentifier(),
            "parameter",
            "must be the name of an argument",
            "identifier",
        )
        fine = self.resume_on is None or is_filter(self.resume_on)
        problems.check(fine, "resume_on", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the resume is not valid")
        # Not an option but made from one; the instance is frozen.
        vars(self)["_matches"] = _may_pass if self.resume_on is None else matcher(self.resume_on)

    def __str__(self) -> str:
        return "Resume"

    def guard_call(self, call: Call, site: Site) -> Call:  # noqa: ARG002 - nothing to resume
        """Guard a sync function: it delivers nothing before its end."""
        return call

    def guard_coroutine(self, call: Call, site: Site) -> Call:  # noqa: ARG002
        """Guard a function that returns an awaitable: it delivers nothing before its end."""
        return call

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            delivered: list[Any] = []
            while True:
                before = len(delivered)
                given = {**kwargs, self.parameter: tuple(delivered)} if delivered else kwargs
                try:
                    async with aclosing(call(*args, **given)) as items:
                        async for item in items:
                            delivered.append(item)
                            yield item
                except Exception as error:
                    if len(delivered) == before or not self._goes_on(error):
                        raise
                    self._tell(site, len(delivered), error)
                else:
                    return

        return guarded

    def _goes_on(self, error: Exception) -> bool:
        return verdict(error) is not None and self._matches(error)  # control flow passes

    def _tell(self, site: Site, delivered: int, error: Exception) -> None:
        if bus.listeners:
            bus.publish(
                StreamResumed(
                    pipeline=site.pipeline, strategy=self.name, delivered=delivered, error=error
                )
            )


def _may_pass(error: Exception) -> bool:
    said = verdict(error)
    return said is not None and said.retriable
