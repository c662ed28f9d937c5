"""Going on with a stream that broke, from what was delivered."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from stormproof.errors import Problems
from stormproof.recovery.classification import ErrorFilter, is_filter, retry_filter
from stormproof.recovery.events import StreamResumed, bus
from stormproof.recovery.options import check_count
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.streams.delivery import Reset


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

    The items are kept until the stream ends. A caller that has some already, from a
    ``PartialOutput`` for one, gives them as the argument, by its name, and is sent what follows.

    Args:
        parameter: The name of the argument that takes a tuple of the items delivered so far.
        times: How often at most, for one stream; 1 to 1,000,000. By default as often as it takes.
        resume_on: Which errors to resume after. By default what the error says: ``retriable``,
            for foreign exceptions after translation.
        name: What events call it.
    """

    parameter: str = "delivered"
    times: int | None = None
    resume_on: ErrorFilter | None = None
    name: str = "resume"
    _goes_on: Callable[[Exception], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = Problems()
        parameter: object = self.parameter
        fine = isinstance(parameter, str) and parameter.isidentifier()
        problems.check(fine, "parameter", "must be the name of an argument", "identifier")
        if self.times is not None:
            check_count(problems, "times", self.times)
        fine = self.resume_on is None or is_filter(self.resume_on)
        problems.check(fine, "resume_on", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the resume is not valid")
        # Not an option but made from one; the instance is frozen.
        vars(self)["_goes_on"] = retry_filter(self.resume_on)

    def __str__(self) -> str:
        return "Resume" if self.times is None else f"Resume up to {self.times} times"

    def guard_call(self, call: Call, site: Site) -> Call:  # noqa: ARG002 - nothing to resume
        """Guard a sync function: it delivers nothing before its end."""
        return call

    def guard_coroutine(self, call: Call, site: Site) -> Call:  # noqa: ARG002
        """Guard a function that returns an awaitable: it delivers nothing before its end."""
        return call

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator.

        Raises:
            TypeError: It does not take ``parameter``.
        """
        self._check_takes_parameter(site.function)

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            given = kwargs
            delivered = list(kwargs.get(self.parameter) or ())
            resumed = 0
            yielding = False
            while True:
                before = len(delivered)
                try:
                    async with aclosing(call(*args, **given)) as items:
                        async for item in items:
                            if type(item) is Reset:
                                del delivered[item.take_back(len(delivered)) :]
                            else:
                                delivered.append(item)
                            yielding = True
                            yield item
                            yielding = False
                except Exception as error:
                    # What a consumer throws in, or closing for it brings up, broke no stream.
                    fresh = not yielding and len(delivered) > before and resumed != self.times
                    if not (fresh and self._goes_on(error)):
                        raise
                    self._check_takes_parameter(args[0] if site.named_call else None)
                    self._tell(site, len(delivered), error)
                else:
                    return
                resumed += 1
                given = {**kwargs, self.parameter: tuple(delivered)}

        return guarded

    def _check_takes_parameter(self, fn: Call | None) -> None:
        """Raise before a call that cannot be made would hide what broke the stream."""
        if fn is None:
            return
        from inspect import Parameter, signature  # noqa: PLC0415 - heavy

        by_name = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        if not any(
            one.kind is Parameter.VAR_KEYWORD
            or (one.name == self.parameter and one.kind in by_name)
            for one in signature(fn).parameters.values()
        ):
            name = getattr(fn, "__name__", "the function")
            raise TypeError(f"{name} must take what was delivered as {self.parameter!r}")

    def _tell(self, site: Site, delivered: int, error: Exception) -> None:
        if bus.listeners:
            bus.publish(
                StreamResumed(
                    pipeline=site.pipeline, strategy=self.name, delivered=delivered, error=error
                )
            )
