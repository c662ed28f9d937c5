"""Many items through one pipeline, so many at once, keeping what succeeds.

One item's failure is a value in the result and stops no other item; only what is no error stops
the batch: a cancellation, an interrupt, control flow that travels as an exception.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from stormproof.errors import DeadlineExceeded, Problems, StormproofError, translate
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import DeadlinePassed, bus
from stormproof.recovery.options import check_count
from stormproof.recovery.pipeline import Pipeline

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_AT_ONCE: Final = 1000


@dataclass(frozen=True, kw_only=True)
class ItemSuccess(Generic[Item, Result]):
    """An item for which the guarded function returned.

    Attributes:
        index: Its place in the input, from 0.
        item: What the function was called with.
        result: What it returned.
    """

    index: int
    item: Item
    result: Result


@dataclass(frozen=True, kw_only=True)
class ItemFailure(Generic[Item]):
    """An item for which the guarded function failed, after all that its pipeline could do.

    Attributes:
        index: Its place in the input, from 0.
        item: What the function was called with.
        error: Why; a foreign exception is translated, and is the cause.
    """

    index: int
    item: Item
    error: StormproofError


ItemOutcome: TypeAlias = ItemSuccess[Item, Result] | ItemFailure[Item]
"""What became of one item."""


@dataclass(frozen=True)
class Batch(Generic[Item, Result]):
    """What became of every item, in the order of the input.

    Attributes:
        results: One outcome for each item.
    """

    results: tuple[ItemOutcome[Item, Result], ...]

    @property
    def successes(self) -> tuple[ItemSuccess[Item, Result], ...]:
        """The items that succeeded, in the order of the input."""
        return tuple(one for one in self.results if isinstance(one, ItemSuccess))

    @property
    def failures(self) -> tuple[ItemFailure[Item], ...]:
        """The items that failed, in the order of the input."""
        return tuple(one for one in self.results if isinstance(one, ItemFailure))

    def raise_if_failed(self) -> None:
        """Return if every item succeeded.

        Raises:
            ExceptionGroup: The errors of all that failed, in the order of the input.
        """
        errors = [one.error for one in self.failures]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(self.results)} items failed", errors)


def gather(
    pipeline: Pipeline,
    fn: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    concurrency: int,
) -> Batch[Item, Result]:
    """Call ``fn`` with every item, guarded by ``pipeline``, on so many threads.

    What the pipeline shares, such as a budget or a circuit, all items share. Each thread runs in
    a copy of the caller's context, so the deadline in force holds for all; items that have not
    begun when it is over fail with ``DeadlineExceeded``.

    Args:
        pipeline: What guards each single item.
        fn: Called with one item.
        items: Taken all at once, before the first call.
        concurrency: How many calls at once at most; 1 to 1000.

    Raises:
        ValidationErrors: ``concurrency`` is not valid.
        BaseException: What is no error: no further item is begun, those that run are waited for.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - heavy

    work: _Work[Item, Result] = _Work(pipeline, items, concurrency)

    def run() -> None:
        try:
            for index, item in work.take():
                try:
                    work.succeeded(index, item, pipeline.call(fn, item))
                except Exception as error:  # noqa: BLE001 - it is one item's outcome
                    work.failed(index, item, error)
        finally:
            work.stop()  # where something was raised; otherwise nothing is left

    with ThreadPoolExecutor(work.width, thread_name_prefix="stormproof-gather") as pool:
        try:
            for end in [pool.submit(copy_context().run, run) for _ in range(work.width)]:
                end.result()
        finally:
            work.stop()
    return work.batch()


async def agather(
    pipeline: Pipeline,
    fn: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    *,
    concurrency: int,
) -> Batch[Item, Result]:
    """Await ``fn`` with every item, guarded by ``pipeline``, so many at once.

    As ``gather``, in tasks. Cancelling it cancels the calls that run.

    Args:
        pipeline: What guards each single item.
        fn: Called with one item.
        items: Taken all at once, before the first call.
        concurrency: How many calls at once at most; 1 to 1000.

    Raises:
        ValidationErrors: ``concurrency`` is not valid.
        BaseException: What is no error; the other calls are cancelled.
    """
    from asyncio import CancelledError, TaskGroup  # noqa: PLC0415 - heavy

    work: _Work[Item, Result] = _Work(pipeline, items, concurrency)

    async def run() -> None:
        try:
            for index, item in work.take():
                try:
                    work.succeeded(index, item, await pipeline.acall(fn, item))
                except Exception as error:  # noqa: BLE001 - it is one item's outcome
                    work.failed(index, item, error)
        finally:
            work.stop()

    try:
        async with TaskGroup() as tasks:
            for _ in range(work.width):
                tasks.create_task(run())
    except BaseExceptionGroup as group:
        # Control flow, which whoever called must be able to catch as what it is.
        raise group.exceptions[0] from None
    if not work.complete:
        # A call was cancelled from within; a task group takes that for a quiet end.
        raise CancelledError
    return work.batch()


class _Work(Generic[Item, Result]):
    """The items that wait and the outcomes of the others; workers share it, threads too."""

    def __init__(self, pipeline: Pipeline, items: Iterable[Item], concurrency: int) -> None:
        problems = Problems()
        check_count(problems, "concurrency", concurrency, most=_MOST_AT_ONCE)
        problems.raise_if_any("the batch is not valid")
        self._name: Final = pipeline.name or "gather"
        # Taking from a deque and storing in a dictionary are atomic: no lock is needed.
        self._waiting: Final = deque(enumerate(items))
        self._count: Final = len(self._waiting)
        self._outcomes: Final[dict[int, ItemOutcome[Item, Result]]] = {}
        self.width: Final = max(1, min(concurrency, self._count))

    def take(self) -> Iterator[tuple[int, Item]]:
        """Hand out the items that wait, each one once, in order, while there is time."""
        while self._waiting:
            try:
                index, item = self._waiting.popleft()
            except IndexError:  # another thread was faster
                return
            if remaining() == 0:
                self._too_late(index, item)
            else:
                yield index, item

    def succeeded(self, index: int, item: Item, result: Result) -> None:
        """Keep what one call returned."""
        self._outcomes[index] = ItemSuccess(index=index, item=item, result=result)

    def failed(self, index: int, item: Item, error: Exception) -> None:
        """Keep why one call failed; raise ``error`` if it is control flow."""
        self._outcomes[index] = ItemFailure(index=index, item=item, error=translate(error))

    def stop(self) -> None:
        """Begin no further item."""
        self._waiting.clear()

    @property
    def complete(self) -> bool:
        """Whether every item has an outcome."""
        return len(self._outcomes) == self._count

    def batch(self) -> Batch[Item, Result]:
        """Hand over the outcomes, when every item has one.

        None is kept: an error's traceback leads to the workers' frames, and from there to here.
        """
        return Batch(tuple(self._outcomes.pop(index) for index in range(self._count)))

    def _too_late(self, index: int, item: Item) -> None:
        if bus.listeners:
            bus.publish(DeadlinePassed(pipeline=self._name, strategy="gather", timeout=None))
        self.failed(index, item, DeadlineExceeded(operation=self._name, timeout=None))
