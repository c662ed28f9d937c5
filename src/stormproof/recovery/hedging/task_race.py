"""A race of coroutines.

The first attempt runs in the task of the caller, so that a call which is answered in time costs a
timer and no task; the others are tasks beside it. A loser is cancelled, and nobody waits for it to
end; but the first, which has no task of its own, must end before its caller can go on.
"""

from asyncio import CancelledError, Future, Task, current_task, get_running_loop, wait
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stormproof.recovery.cut import Cut
from stormproof.recovery.hedging.race import Race, Terms

if TYPE_CHECKING:
    from stormproof.recovery.clock import Timer

Discard: TypeAlias = Callable[[Any], Awaitable[None]]

# An event loop holds its tasks weakly.
_alive: Final[set[Task[None]]] = set()


class TaskRace(Race):
    """The attempts at one coroutine.

    Args:
        terms: What holds for all races.
        delay: Seconds without an answer before each next attempt; None for the first alone.
        call: Begins an attempt.
        discard: Takes what an attempt returned that others were faster than; None if nothing
            needs to be done.
    """

    def __init__(
        self,
        terms: Terms,
        delay: float | None,
        call: Callable[[], Awaitable[Any]],
        discard: Discard | None,
    ) -> None:
        super().__init__(terms, delay)
        self._call: Final = call
        self._discard: Final = discard
        self._loop: Final = get_running_loop()
        self._context: Final = copy_context()
        self._cut: Final = Cut(current_task())
        self._tasks: Final[set[Task[None]]] = set()
        self._timer: Timer | None = None
        self._woken: Future[None] | None = None
        self._set_timer(1)

    async def run(self) -> Any:
        """Return what the first attempt that succeeds returns, or raise why none did."""
        try:
            try:
                value = await self._call()
            except Exception as error:  # noqa: BLE001 - one outcome among several
                await self._first_failed(error)
            else:
                await self._arrived(1, value)
        except CancelledError:
            if not self._cut.withdraw():  # the caller is cancelled, and not the loser
                await self._abandon()
                raise
        finally:
            self._close()
        return self.answer()

    async def _arrived(self, number: int, value: Any) -> None:
        if not self._decided:
            self._succeeded(number, value)
        elif self._discard is not None:
            await self._discard(value)

    async def _first_failed(self, error: Exception) -> None:
        if self._decided:
            return  # it had lost, and raises this because it was cancelled
        self._cut.withdraw()  # there is no attempt in this task any more
        self._failed(1, error)
        if not self._decided:
            self._woken = self._loop.create_future()
            await self._woken

    def _wake(self) -> None:
        if self._woken is None:
            self._cut()
        elif not self._woken.done():
            self._woken.set_result(None)

    def _launch(self, number: int) -> bool:
        task = self._loop.create_task(self._attempt(number), context=self._context.copy())
        self._tasks.add(task)
        _alive.add(task)
        task.add_done_callback(self._left)
        self._set_timer(number)
        return True

    async def _attempt(self, number: int) -> None:
        try:
            value = await self._call()
        except Exception as error:  # noqa: BLE001 - one outcome among several
            self._failed(number, error)
        else:
            await self._arrived(number, value)

    def _left(self, task: Task[None]) -> None:
        self._tasks.discard(task)
        _alive.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._decided:
            return
        if error is not None:
            self._fail(error)
        elif task.cancelled():  # from within
            self._ended()

    def _set_timer(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._delay is not None and number < self._most:
            # A clock in the hands of a test calls it in the context of somebody else.
            self._timer = self._clock.call_later(
                self._loop, self._delay, lambda: self._context.run(self._hedge)
            )

    async def _abandon(self) -> None:
        """Cancel all attempts, and wait for them."""
        found = self._value if self._decided and self._error is None else None
        self._close()
        try:
            if self._tasks:
                await wait(set(self._tasks))
        finally:  # also for a caller that is cancelled once more, and waits no longer
            if found is not None and self._discard is not None:
                await self._discard(found)

    def _close(self) -> None:
        self._decided = True
        self._cut.withdraw()
        self._errors.clear()  # their tracebacks hold this race
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
