"""State that several processes share, and what becomes of it when it cannot be reached.

A strategy says what it wants of its shared state as an operation, a frozen record, and gets the
result, or ``None`` while the store is out of reach: then the strategy goes by state of its own.
What it does in between is written once, as a generator of operations; ``run`` and ``arun`` drive
that for a sync function and for a coroutine.
"""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from stormproof.errors import Problems, translate
from stormproof.recovery.deadline import lift_deadline, remaining
from stormproof.recovery.events import StoreLost, StoreRegained, bus
from stormproof.recovery.options import check_seconds
from stormproof.recovery.sharing.outage import Leave, Outage

if TYPE_CHECKING:
    import asyncio

R = TypeVar("R")
T = TypeVar("T")


class Operation(Generic[R]):
    """One step on one shared object, as atomic as if nobody else were there."""

    __slots__ = ()

    def undo(self, result: R) -> "Operation[Any] | None":  # noqa: ARG002 - most need none
        """Return what makes up for this one, whose caller was cancelled before its ``result``."""
        return None


Steps: TypeAlias = Generator[Operation[Any], Any, T]
"""Work that pauses at each operation for its result, and returns a ``T``."""


class Store(ABC):
    """Where shared state lives. An adapter says how to execute an operation, and nothing else.

    Args:
        name: What events call it.
        timeout: Seconds that ``execute`` takes at most, 0 to a day. A call with less than that
            left before its deadline does not ask the store; how it ended, the store still hears.
        retry_after: Seconds for which the store is left alone once it could not be reached.
        memory: Seconds for which what was heard may be gone by, and permits taken beforehand.

    Attributes:
        memory: The same.
    """

    def __init__(
        self, name: str, *, timeout: float, retry_after: float, memory: float = 0.0
    ) -> None:
        problems = Problems()
        problems.check(name, "name", "must name the store", "missing")
        check_seconds(problems, "timeout", timeout)
        check_seconds(problems, "retry_after", retry_after)
        check_seconds(problems, "memory", memory, positive=False)
        problems.raise_if_any("the store is not valid")
        self._name: Final = name
        self.memory: Final = memory
        self._timeout: Final = timeout
        self._outage: Final = Outage(retry_after)
        self._tasks: Final[set[asyncio.Task[Any]]] = set()

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self._name}"

    @property
    def reachable(self) -> bool:
        """Whether the last that was heard of the store was an answer."""
        return not self._outage.lasts

    @property
    def outages(self) -> int:
        """How often it was lost."""
        return self._outage.count

    @abstractmethod
    def execute(self, operation: Operation[R]) -> R:
        """Execute ``operation``; whatever it raises means that the store is out of reach."""

    @abstractmethod
    async def aexecute(self, operation: Operation[R]) -> R:
        """Execute ``operation`` without blocking the event loop."""

    def ask(self, operation: Operation[R]) -> R | None:
        """Return the result of ``operation``, None if the store is out of reach."""
        leave = self._leave()
        if leave is Leave.STAY:
            return None
        try:
            result = self.execute(operation)
        except Exception as error:  # noqa: BLE001 - whatever fails here, the call must not
            self._lose(error)
            return None
        if leave is Leave.TRY:
            self._regain()
        return result

    async def aask(self, operation: Operation[R]) -> R | None:
        """Return the result of ``operation``, None if the store is out of reach.

        Cancelled, it lets the operation come to its end in the background, and has it undone:
        nobody else knows what it did, and clients lose connections and cancellations otherwise.
        """
        from asyncio import shield  # noqa: PLC0415 - heavy

        leave = self._leave()
        if leave is Leave.STAY:
            return None
        attempt = self._attempt(operation, leave)
        task = self._spawn(attempt)
        try:
            return await shield(task)
        except BaseException:
            if in_event_loop():
                self._spawn(self._undo(operation, task))
            raise

    async def _attempt(self, operation: Operation[R], leave: Leave) -> R | None:
        try:
            result = await self.aexecute(operation)
        except Exception as error:  # noqa: BLE001 - whatever fails here, the call must not
            self._lose(error)
            return None
        if leave is Leave.TRY:
            self._regain()
        return result

    async def _undo(self, operation: Operation[R], task: "asyncio.Task[R | None]") -> None:
        result = await task
        undo = None if result is None else operation.undo(result)
        if undo is not None:
            await self._attempt(undo, Leave.GO)

    def tell(self, steps: Steps[Any]) -> None:
        """Take ``steps`` whose end nobody waits for: in an event loop, in the background.

        The deadline in force does not hold for them: they say what has happened already.
        """
        context = copy_context()
        context.run(lift_deadline)
        if in_event_loop():
            context.run(self._spawn, arun(self, steps))
        else:
            context.run(run, self, steps)

    def settle(self, steps: Steps[None]) -> None:
        """Take ``steps`` that say how a call ended."""
        if self._hurried():
            self.tell(steps)
        else:
            run(self, steps)

    async def asettle(self, steps: Steps[None]) -> None:
        """Take ``steps`` that say how a call ended; too near its deadline, in the background."""
        if self._hurried():
            self.tell(steps)
        else:
            await arun(self, steps)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        from asyncio import get_running_loop  # noqa: PLC0415 - heavy

        task = get_running_loop().create_task(work)
        self._tasks.add(task)  # an event loop holds its tasks weakly
        task.add_done_callback(self._tasks.discard)
        return task

    def _hurried(self) -> bool:
        left = remaining()
        return left is not None and left < self._timeout

    def _leave(self) -> Leave:
        return Leave.STAY if self._hurried() else self._outage.leave()

    def _lose(self, error: Exception) -> None:
        if self._outage.begin() and bus.listeners:
            bus.publish(StoreLost(pipeline="", strategy=self._name, error=translate(error)))

    def _regain(self) -> None:
        if self._outage.end() and bus.listeners:
            bus.publish(StoreRegained(pipeline="", strategy=self._name))


def in_event_loop() -> bool:
    """Whether this thread runs an event loop, which must not be blocked."""
    from asyncio import get_running_loop  # noqa: PLC0415 - heavy

    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True


def result_of(operation: Operation[R]) -> Generator[Operation[R], R | None, R | None]:
    """Pause for the result of ``operation``; to be used with ``yield from``."""
    return (yield operation)


def run(store: Store, steps: Steps[T]) -> T:
    """Take ``steps``, blocking the thread for each operation."""
    result: object = None
    while True:
        try:
            operation = steps.send(result)
        except StopIteration as end:
            value: T = end.value
            return value
        result = store.ask(operation)


async def arun(store: Store, steps: Steps[T]) -> T:
    """Take ``steps``, suspending the task for each operation."""
    result: object = None
    while True:
        try:
            operation = steps.send(result)
        except StopIteration as end:
            value: T = end.value
            return value
        result = await store.aask(operation)
