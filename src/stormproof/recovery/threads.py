"""Threads for sync calls that their callers may leave before they end.

A thread cannot be stopped: who stops waiting for a call leaves its thread behind, pinned by the
call until that ends by itself. So the threads are bounded, and those left behind are counted and
told of. (``concurrent.futures`` does neither, and a call that hangs would keep the interpreter
from exiting: it joins its threads. These are daemons.)
"""

import os
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event, RLock, Thread
from typing import Any, Final
from weakref import WeakSet

from stormproof.errors import CapacityExceeded, Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.events import CallRejected, ThreadFreed, ThreadPinned, bus
from stormproof.recovery.options import check_count

_MOST_THREADS: Final = 1000
# Seconds of real time, whatever the clock of any call: threads are not part of a test's time.
_IDLE: Final = 10.0


class WorkerThreads:
    """A bounded number of threads for sync calls that can be left behind.

    A thread is started when a call finds none idle, is used again, and ends when it has been idle
    for a while. There is no queue: a call that finds no thread is turned away at once. Each call
    runs in a copy of its caller's context. Share one among all that guards the same dependency.

    Args:
        limit: How many threads at most; 1 to 1000. Each call that hangs takes one.
        name: What events and errors call it.

    Raises:
        CapacityExceeded: At the guarded call, when all threads are taken.
    """

    def __init__(self, limit: int, *, name: str = "threads") -> None:
        problems = Problems()
        check_count(problems, "limit", limit, most=_MOST_THREADS)
        problems.raise_if_any("the worker threads are not valid")
        self._limit: Final = limit
        self._name: Final = name
        self._begin()
        _alive.add(self)

    def _begin(self) -> None:
        # Reentrant, because the garbage collector may run somebody's finalizer, and so a guarded
        # call, at any point of this thread.
        self._lock = RLock()
        self._calls: SimpleQueue[ThreadCall] = SimpleQueue()
        self._threads = 0
        self._idle = 0  # those that wait, and that no call in the queue is meant for
        self._pinned = 0

    def __repr__(self) -> str:
        return f"WorkerThreads({self._limit}, name={self._name!r})"

    def __str__(self) -> str:
        return f"{self._limit} threads"

    @property
    def limit(self) -> int:
        """How many threads there may be."""
        return self._limit

    @property
    def running(self) -> int:
        """How many calls run now, those that were left behind included."""
        return self._threads - self._idle

    @property
    def pinned(self) -> int:
        """How many threads are held by calls that were left behind."""
        return self._pinned

    def start(self, call: Callable[[], Any], ended: Event, pipeline: str) -> "ThreadCall":
        """Begin a call on one of the threads, in a copy of this context.

        Args:
            call: What to call.
            ended: Set when the call has ended.
            pipeline: What events call the pipeline.

        Raises:
            CapacityExceeded: All threads are taken.
        """
        begun = ThreadCall(call, ended, pipeline)
        with self._lock:
            if self._idle:
                self._idle -= 1
                self._calls.put(begun)
                return begun
            full = self._threads >= self._limit
            if not full:
                self._threads += 1
        if full:
            raise self._reject(pipeline)
        self._start_thread(begun)
        return begun

    def leave(self, call: "ThreadCall") -> None:
        """Wait for ``call`` no longer: if it still runs, it pins its thread until it ends."""
        with self._lock:
            if call.left or not call.running:
                return
            call.left = True
            self._pinned += 1
        self._tell(ThreadPinned, call)

    def _start_thread(self, first: "ThreadCall") -> None:
        try:
            Thread(target=self._work, args=([first],), name=self._name, daemon=True).start()
        except RuntimeError as error:  # the system has no more
            with self._lock:
                self._threads -= 1
            raise self._reject(first.pipeline) from error

    def _work(self, first: "list[ThreadCall]") -> None:
        # In a list, because a thread keeps its arguments to its end; and forgotten before the
        # next one comes: an idle thread must not keep alive what its last call held.
        call: ThreadCall | None = first.pop()
        while call is not None:
            call.run()
            self._ended(call)
            call = None
            call = self._next()

    def _ended(self, call: "ThreadCall") -> None:
        with self._lock:
            self._idle += 1
            call.running = False
            if call.left:
                self._pinned -= 1
        if call.left:
            call.drop()
            self._tell(ThreadFreed, call)
        call.ended.set()

    def _next(self) -> "ThreadCall | None":
        """Wait for a call; None when this thread has waited long enough and is to end."""
        try:
            return self._calls.get(timeout=_IDLE)
        except Empty:
            with self._lock:
                if self._idle:
                    self._idle -= 1
                    self._threads -= 1
                    return None
        return self._calls.get()  # as many calls as threads wait: one is meant for this one

    def _reject(self, pipeline: str) -> CapacityExceeded:
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self._name, retry_after=None))
        return CapacityExceeded(resource=self._name, limit=self._limit)

    def _tell(self, kind: type[ThreadPinned | ThreadFreed], call: "ThreadCall") -> None:
        if bus.listeners:
            pinned, limit = self._pinned, self._limit
            bus.publish(
                kind(pipeline=call.pipeline, strategy=self._name, pinned=pinned, limit=limit)
            )


class ThreadCall:
    """One call on a worker thread.

    Attributes:
        ended: Set when it has ended, and perhaps for other reasons of who waits.
        ended_at: When it ended, in seconds on its caller's clock.
        running: Whether it has not ended.
        left: Whether it had not when its caller stopped waiting.
        pipeline: What events call the pipeline.
    """

    __slots__ = (
        "_call",
        "_clock",
        "_context",
        "_error",
        "_result",
        "ended",
        "ended_at",
        "left",
        "pipeline",
        "running",
    )

    def __init__(self, call: Callable[[], Any], ended: Event, pipeline: str) -> None:
        self._call: Final = call
        self._clock: Final = current_clock()
        self._context: Final = copy_context()
        self._error: BaseException | None = None
        self._result: Any = None
        self.ended: Final = ended
        self.ended_at = 0.0
        self.running = True
        self.left = False
        self.pipeline: Final = pipeline

    def run(self) -> None:
        """Do the call, on this thread, and keep what comes of it."""
        try:
            self._result = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001 - it is for the caller, whatever it is
            self._error = error
        self.ended_at = self._clock.now()

    def ended_by(self, until: float | None) -> bool:
        """Return whether it ended by then, as its caller waited; if not, forget what came of it."""
        if not self.left and (until is None or self.ended_at <= until):
            return True
        self.drop()
        return False

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised; once, when it has ended."""
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def drop(self) -> None:
        """Forget what came of the call."""
        self._result = self._error = None


_alive: Final[WeakSet[WorkerThreads]] = WeakSet()


def _after_fork() -> None:
    for threads in _alive:
        threads._begin()  # the threads stayed with the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
