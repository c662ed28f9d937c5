"""Something else to answer with when a call has failed."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from stormproof.errors import Problems
from stormproof.recovery.classification import ErrorFilter, failure_filter, is_filter
from stormproof.recovery.events import FallbackUsed, bus
from stormproof.recovery.strategy import Call, Site, Strategy

_NOTHING: Final = object()


@dataclass(frozen=True)
class Fallback(Strategy):
    """Answers with a value, or with what another function returns.

    Exactly one of ``value`` and ``call`` is given. A stream falls back until its first item is
    delivered, and never after. If the fallback fails too, its error reaches the caller with the
    first one as context.

    Args:
        call: A function that takes the same arguments and returns what the guarded one does:
            a value, an awaitable or a value, or an async generator. One that another pipeline
            guards is as good as any.
        value: The answer; a stream's only item.
        on: Which errors to answer for. By default every one that is not a client error; foreign
            exceptions count as what they translate to.
        name: What events call it.
    """

    call: Call | None = None
    value: Any = field(default=_NOTHING, kw_only=True)
    on: ErrorFilter | None = field(default=None, kw_only=True)
    name: str = field(default="fallback", kw_only=True)
    _answers_for: Callable[[Exception], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = Problems()
        one = (self.value is _NOTHING) != (self.call is None)
        problems.check(one, "call", "exactly one of call and value must be given", "missing")
        fine = self.call is None or callable(self.call)
        problems.check(fine, "call", "must be a function", "callable")
        fine = self.on is None or is_filter(self.on)
        problems.check(fine, "on", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the fallback is not valid")
        vars(self)["_answers_for"] = failure_filter(self.on)

    def __str__(self) -> str:
        to = "value" if self.call is None else getattr(self.call, "__name__", "call")
        return f"Fallback to {to}"

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        answer = self._answer(site)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                if not self._steps_in(error, site.pipeline):
                    raise
                return answer(*args, **kwargs)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        answer = self._answer(site)

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return await call(*args, **kwargs)
            except Exception as error:
                if not self._steps_in(error, site.pipeline):
                    raise
                result = answer(*args, **kwargs)
                pending = self.call is not None and isinstance(result, Awaitable)
                return await result if pending else result

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        answer = self._only_item if self.call is None else site.substitute(self.call)

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            delivered = False
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        delivered = True
                        yield item
            except Exception as error:
                if delivered or not self._steps_in(error, site.pipeline):
                    raise  # what the consumer has cannot be taken back
                async with aclosing(answer(*args, **kwargs)) as items:
                    async for item in items:
                        yield item

        return guarded

    def _steps_in(self, error: Exception, pipeline: str) -> bool:
        if not self._answers_for(error):
            return False
        if bus.listeners:
            bus.publish(FallbackUsed(pipeline=pipeline, strategy=self.name, error=error))
        return True

    def _answer(self, site: Site) -> Call:
        if self.call is not None:
            return site.substitute(self.call)
        value = self.value
        return lambda *_, **__: value

    async def _only_item(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        yield self.value
