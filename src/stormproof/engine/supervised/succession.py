"""One process of the engine after another, without end until told so."""

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from stormproof.engine.native.shared_memory import shared_memory
from stormproof.engine.supervised.bell import Bell
from stormproof.engine.supervised.crash_loop import CrashLoop
from stormproof.engine.supervised.deaths import Death, unborn
from stormproof.engine.supervised.life import Life
from stormproof.engine.supervised.messages import Start
from stormproof.engine.supervised.reserve import Reserve
from stormproof.engine.supervised.start_deadline import StartDeadline
from stormproof.engine.supervised.step_record import Reading
from stormproof.engine.supervised.worker_process import WorkerGone, WorkerProcess
from stormproof.recovery import Clock

_SETTLED: Final = 1.0
"""Seconds of work after which a process gets a spare: nobody's first token is to wait for it."""


class Overseer(Protocol):
    """Whoever the processes work for; called on the thread of the succession."""

    @property
    def waiting(self) -> bool:
        """Whether anybody waits for what the process does next."""
        ...

    def orders(self) -> bytes:
        """Return the messages to be sent now."""
        ...

    def heard(self, report: Any) -> None:
        """Take what a process reports."""
        ...

    def judge(self, death: Death, readings: Sequence[Reading]) -> bool:
        """Find out who is to blame for a death, and refuse them; returns whether anybody is.

        Args:
            death: What the process died of.
            readings: What it was reading.
        """
        ...

    def bereaved(self, death: Death, step_requests: int, wait: float, *, hopeless: bool) -> bool:
        """Learn that a process died; returns whether there shall be another.

        Args:
            death: Of what.
            step_requests: How many requests it was reading.
            wait: Seconds until the next is started.
            hopeless: Whether it is clear that the next will do no better.
        """
        ...

    def ended(self) -> None:
        """Learn that there will be no more processes."""
        ...


class Succession:
    """Starts processes, watches them, and replaces those that die or hang.

    Where processes share their weights, a spare one is loaded beside the one that works: it costs
    little memory, and takes over within milliseconds.

    Args:
        start: What each is to load.
        overseer: Whom they work for.
        step_deadline: Seconds without a report, while somebody waits, that count as hung.
        clock: Time, and pauses.
    """

    def __init__(
        self, start: Start, overseer: Overseer, *, step_deadline: float, clock: Clock
    ) -> None:
        self._memory = shared_memory("weights")
        self._shared = False
        self._start = replace(start, memory=self._memory)
        self._reserve = Reserve(clock.now)
        self._overseer = overseer
        self._step_deadline = step_deadline
        self._start_deadline = StartDeadline(step_deadline)
        self._clock = clock
        self._bell = Bell()
        self._crash_loop = CrashLoop()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stormproof-supervisor", daemon=True)
        # All processes start on this thread: the kernel kills them when it ends.
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether there is somebody to start the next process."""
        return self._thread.is_alive()

    def notify(self) -> None:
        """Have the overseer's orders sent."""
        self._bell.ring()

    def stop(self) -> None:
        """Kill the process; there will be no other."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._live():
                pass
        finally:
            self._overseer.ended()
            self._clear_away()

    def _clear_away(self) -> None:
        self._reserve.clear()
        if self._memory is not None:
            os.close(self._memory)
        self._bell.close()

    def _live(self) -> bool:
        """See one process through its life, and wait; returns whether it is time for the next."""
        try:
            worker, reports = self._next()
        except OSError as error:
            return self._mourn(unborn(error), 0, self._crash_loop.died(steps=0, seconds=0))
        life = Life(self._clock.now, self._step_deadline, self._start_deadline)
        try:
            for report in reports:
                self._hear(life, report)
            hung = self._attend(worker, life)
        except WorkerGone:
            hung = None
        except BaseException:
            worker.kill()
            raise
        if self._stopping.is_set():
            worker.kill()
            return False
        death, readings = worker.end(self._clock, hung=hung)
        wait = self._crash_loop.died(
            steps=life.steps,
            seconds=life.served,
            idle=not readings and not hung,
            convicted=self._overseer.judge(death, readings),
        )
        return self._mourn(death, len(readings), wait)

    def _mourn(self, death: Death, step_requests: int, wait: float) -> bool:
        """Tell of a death, and wait; returns whether it is time for the next process."""
        hopeless = self._crash_loop.hopeless
        if not self._overseer.bereaved(death, step_requests, wait, hopeless=hopeless):
            return False
        self._clock.wait(self._stopping, wait)
        return not self._stopping.is_set()

    def _next(self) -> tuple[WorkerProcess, Sequence[Any]]:
        """Return the spare process with what it has said, or one that has yet to load."""
        if spare := self._reserve.take():
            worker, ready = spare
            return worker, [ready]
        start, self._start = self._start, replace(self._start, introduce=False)
        return WorkerProcess(start), ()

    def _provide(self, life: Life) -> float | None:
        """Have a spare once the process at work has settled; returns when to look again."""
        if not self._weights_are_shared():
            return None
        return self._reserve.replenish(self._start) if life.served >= _SETTLED else _SETTLED

    def _weights_are_shared(self) -> bool:
        if self._memory is not None and not self._shared:
            self._shared = os.fstat(self._memory).st_size > 0
        return self._shared

    def _attend(self, worker: WorkerProcess, life: Life) -> str | None:
        """Pass on what is said; returns what looks like a hang, or nothing when it is to end."""
        while not self._stopping.is_set():
            worker.send(self._overseer.orders())
            life.expects(waiting=self._overseer.waiting)
            waits = (life.next_look, self._provide(life))
            timeout = min((wait for wait in waits if wait is not None), default=None)
            for report in worker.receive(self._bell, timeout, or_of=self._reserve.worker):
                self._hear(life, report)
            life.watched()
            if life.overdue:
                return life.hung()
        return None

    def _hear(self, life: Life, report: Any) -> None:
        life.heard(report)
        self._overseer.heard(report)
