"""Admissions whose state is in a store: the same shape, with operations where they decide."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic

from stormproof.recovery.sharing.store import Steps, Store, arun, run
from stormproof.recovery.strategy import Admission, Call, Gate, Site, Strategy, Ticket


@dataclass(frozen=True, eq=False)
class SharedAdmission(Strategy, Generic[Ticket]):
    """What an ``Admission`` does, by operations on a store.

    A call that ends is counted before its caller goes on. One that is cut off, by cancellation or
    by its consumer, is not held up: the store is told in the background.

    Args:
        store: Where the state is.
        enter: As in ``Gate``.
        succeeded: As in ``Gate``.
        failed: As in ``Gate``.
        answered: As in ``Gate``.
    """

    store: Store
    enter: Callable[[str], Steps[Ticket]]
    succeeded: Callable[[Ticket, str], Steps[None]]
    failed: Callable[[Ticket, BaseException, str], Steps[None]]
    answered: Callable[[Ticket], Ticket]

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        return _Blocking(self).guard_call(call, site)

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        store, pipeline = self.store, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            ticket = await arun(store, self.enter(pipeline))
            try:
                result = await call(*args, **kwargs)
            except BaseException as error:
                await self._failed(ticket, error, pipeline)
                raise
            await store.asettle(self.succeeded(ticket, pipeline))
            return result

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator: what counts is how the stream ends."""
        store, pipeline = self.store, site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            ticket = await arun(store, self.enter(pipeline))
            silent = True
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        if silent:
                            ticket = self.answered(ticket)
                            silent = False
                        yield item
            except BaseException as error:
                await self._failed(ticket, error, pipeline)
                raise
            await store.asettle(self.succeeded(ticket, pipeline))

        return guarded

    async def _failed(self, ticket: Ticket, error: BaseException, pipeline: str) -> None:
        steps = self.failed(ticket, error, pipeline)
        if isinstance(error, Exception):
            await self.store.asettle(steps)
        else:
            self.store.tell(steps)


class _Blocking(Admission[Ticket]):
    """The same for sync functions: each step blocks the thread."""

    def __init__(self, shared: SharedAdmission[Ticket]) -> None:
        self._shared = shared

    def gate(self) -> Gate[Ticket]:
        """Return what to do around every call."""
        shared = self._shared

        def enter(by: str) -> Ticket:
            return run(shared.store, shared.enter(by))

        def succeeded(ticket: Ticket, by: str) -> None:
            shared.store.settle(shared.succeeded(ticket, by))

        def failed(ticket: Ticket, error: BaseException, by: str) -> None:
            shared.store.settle(shared.failed(ticket, error, by))

        return Gate(enter, succeeded, failed)
