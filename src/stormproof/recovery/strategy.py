"""What a strategy is, and the shape of those that let calls in and watch how they end.

A strategy is an object of frozen options with one place where it decides. Around that stand
three thin drivers, which perform what was decided for a sync function, a coroutine function and
an async generator function; a driver calls, waits and raises, and decides nothing itself.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from stormproof.recovery.retries.budget import RetryBudget

Call: TypeAlias = Callable[..., Any]

Ticket = TypeVar("Ticket")


class Site(NamedTuple):
    """Where a strategy is put to use.

    Attributes:
        pipeline: The name that events and errors bear.
        named_call: Whether the first argument of every call is the function to call, as in
            ``pipeline.call(fn, ...)``; a decorated function gets its own arguments alone.
        outside: The strategies further out, outermost first.
        function: The function that is decorated; None where calls name theirs.
    """

    pipeline: str
    named_call: bool = False
    outside: "tuple[Strategy, ...]" = ()
    function: Call | None = None

    def earning(self, budget: "RetryBudget | None") -> "RetryBudget | None":
        """Return ``budget`` if successes are to be counted here, for it to earn by them.

        A budget that several strategies share earns by the outermost: a success is one success,
        however many of them see it.
        """
        shared = any(getattr(one, "budget", None) is budget for one in self.outside)
        return None if shared else budget

    def substitute(self, call: Call) -> Call:
        """Return ``call`` so that it can take the place of the guarded function."""
        if not self.named_call:
            return call

        def substitute(_replaced: Call, /, *args: Any, **kwargs: Any) -> Any:
            return call(*args, **kwargs)

        return substitute


class Strategy(ABC):
    """One layer of a pipeline.

    Each method returns a function that guards ``call`` and takes the same arguments.
    """

    @abstractmethod
    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""

    @abstractmethod
    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""

    @abstractmethod
    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""


def _unchanged(ticket: Ticket) -> Ticket:
    return ticket


class Gate(NamedTuple, Generic[Ticket]):
    """What an admission does around a call, and under which pipeline's name.

    Attributes:
        enter: Lets a call in, and returns a ticket for it, or raises.
        succeeded: Learns that the call with this ticket returned.
        failed: Learns what the call with this ticket raised, be it an error or a cancellation.
        answered: Learns that the stream with this ticket has its first item, and returns the
            ticket to go on with.
    """

    enter: Callable[[str], Ticket]
    succeeded: Callable[[Ticket, str], None]
    failed: Callable[[Ticket, BaseException, str], None]
    answered: Callable[[Ticket], Ticket] = _unchanged


class Admission(Strategy, Generic[Ticket]):
    """A strategy that lets a call in, or not, and learns how it ended."""

    @abstractmethod
    def gate(self) -> Gate[Ticket]:
        """Return what to do around every call."""

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        enter, succeeded, failed, _ = self.gate()
        pipeline = site.pipeline

        def guarded(*args: Any, **kwargs: Any) -> Any:
            ticket = enter(pipeline)
            try:
                result = call(*args, **kwargs)
            except BaseException as error:
                failed(ticket, error, pipeline)
                raise
            succeeded(ticket, pipeline)
            return result

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        enter, succeeded, failed, _ = self.gate()
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            ticket = enter(pipeline)
            try:
                result = await call(*args, **kwargs)
            except BaseException as error:
                failed(ticket, error, pipeline)
                raise
            succeeded(ticket, pipeline)
            return result

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator: what counts is how the stream ends."""
        enter, succeeded, failed, answered = self.gate()
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            ticket = enter(pipeline)
            silent = True
            yielding = False
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        if silent:
                            ticket = answered(ticket)
                            silent = False
                        yielding = True
                        yield item
                        yielding = False
            except BaseException as error:
                # What closing for the consumer brings up broke no stream.
                failed(ticket, GeneratorExit() if yielding else error, pipeline)
                raise
            succeeded(ticket, pipeline)

        return guarded
