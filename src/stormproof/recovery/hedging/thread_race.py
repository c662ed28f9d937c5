"""A race of sync calls, each on a thread of its own.

A thread cannot be stopped: a loser is left behind, pinned to its thread until it ends.
"""

from collections.abc import Callable
from threading import Event
from typing import Any, Final

from stormproof.errors import CapacityExceeded, DeadlineExceeded
from stormproof.recovery.deadline import expiry, remaining
from stormproof.recovery.events import DeadlinePassed, bus
from stormproof.recovery.hedging.race import Race, Terms
from stormproof.recovery.threads import ThreadCall, WorkerThreads


class ThreadRace(Race):
    """The attempts at one sync call.

    Args:
        terms: What holds for all races.
        delay: Seconds without an answer before each next attempt; None for the first alone.
        call: Does an attempt.
        threads: Where.
    """

    def __init__(
        self,
        terms: Terms,
        delay: float | None,
        call: Callable[[], Any],
        threads: WorkerThreads,
    ) -> None:
        super().__init__(terms, delay)
        self._call: Final = call
        self._threads: Final = threads
        self._woken: Final = Event()
        self._calls: Final[dict[int, ThreadCall]] = {}
        self._due: float | None = None
        self._until: Final = expiry()

    def run(self) -> Any:
        """Return what the first attempt that succeeds returns, or raise why none did.

        Raises:
            CapacityExceeded: There is no thread for the first attempt.
            DeadlineExceeded: The deadline in force is over.
        """
        if remaining() == 0:
            self._give_up()
        self._start(1)
        try:
            while not self._decided:
                self._clock.wait_for_thread(self._woken, self._next())
                self._woken.clear()
                self._look()
            return self.answer()
        finally:
            self._errors.clear()  # their tracebacks hold this race
            for call in self._calls.values():
                self._threads.leave(call)

    def _look(self) -> None:
        """See which attempts have ended, and what the time is."""
        ended = [number for number, call in self._calls.items() if not call.running]
        for number in sorted(ended, key=lambda number: self._calls[number].ended_at):
            if not self._decided:
                self._take(number, self._calls.pop(number))
        if self._decided:
            return
        now = self._clock.now()
        if self._until is not None and now >= self._until:
            self._give_up()
        if self._due is not None and now >= self._due:
            self._due = None
            self._hedge()

    def _take(self, number: int, call: ThreadCall) -> None:
        if not call.ended_by(self._until):
            return
        try:
            value = call.result()
        except Exception as error:  # noqa: BLE001 - one outcome among several
            self._failed(number, error)
        else:
            self._succeeded(number, value)

    def _next(self) -> float | None:
        """Return when there is something to do even if no attempt ends."""
        return min((at for at in (self._due, self._until) if at is not None), default=None)

    def _launch(self, number: int) -> bool:
        try:
            self._start(number)
        except CapacityExceeded:
            return False
        return True

    def _start(self, number: int) -> None:
        if self._delay is not None and number < self._most:
            self._due = self._clock.now() + self._delay
        call = self._threads.start(self._call, self._woken, self._terms.pipeline)
        self._calls[number] = call

    def _wake(self) -> None:
        """Nobody waits: this is done by whoever would."""

    def _give_up(self) -> None:
        pipeline = self._terms.pipeline
        if bus.listeners:
            self._publish(DeadlinePassed, timeout=None)
        raise DeadlineExceeded(operation=pipeline, timeout=None)
