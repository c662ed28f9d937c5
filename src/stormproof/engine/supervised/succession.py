"""One process of the engine after another, without end until told so."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from stormproof.engine.supervised.bell import Bell
from stormproof.engine.supervised.crash_loop import CrashLoop
from stormproof.engine.supervised.deaths import Death
from stormproof.engine.supervised.life import Life
from stormproof.engine.supervised.messages import Start
from stormproof.engine.supervised.step_record import Reading
from stormproof.engine.supervised.worker_process import WorkerGone, WorkerProcess
from stormproof.recovery import Clock


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

    def bereaved(
        self, death: Death, readings: Sequence[Reading], wait: float, *, hopeless: bool
    ) -> bool:
        """Learn that a process died; returns whether there shall be another.

        Args:
            death: Of what.
            readings: What it was reading.
            wait: Seconds until the next is started.
            hopeless: Whether it is clear that the next will do no better.
        """
        ...

    def ended(self) -> None:
        """Learn that there will be no more processes."""
        ...


class Succession:
    """Starts processes, watches them, and replaces those that die or hang.

    Args:
        start: What each is to load.
        overseer: Whom they work for.
        step_deadline: Seconds without a report, while somebody waits, that count as hung.
        clock: Time, and pauses.
    """

    def __init__(
        self, start: Start, overseer: Overseer, *, step_deadline: float, clock: Clock
    ) -> None:
        self._start = start
        self._overseer = overseer
        self._step_deadline = step_deadline
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
            self._bell.close()

    def _live(self) -> bool:
        """See one process through its life, and wait; returns whether it is time for the next."""
        worker = WorkerProcess(self._start)
        life = Life(self._clock.now, self._step_deadline)
        try:
            hung = self._attend(worker, life)
        except WorkerGone:
            hung = None
        finally:
            if self._stopping.is_set():
                worker.kill()
        death, readings = worker.end(self._clock, hung=hung)
        if self._stopping.is_set():
            return False
        wait = self._crash_loop.died(steps=life.steps, seconds=life.served)
        hopeless = self._crash_loop.hopeless
        if not self._overseer.bereaved(death, readings, wait, hopeless=hopeless):
            return False
        self._clock.wait(self._stopping, wait)
        return not self._stopping.is_set()

    def _attend(self, worker: WorkerProcess, life: Life) -> str | None:
        """Pass on what is said; returns what looks like a hang, or nothing when it is to end."""
        while not self._stopping.is_set():
            worker.send(self._overseer.orders())
            life.expects(waiting=self._overseer.waiting)
            for report in worker.receive(self._bell, life.patience):
                life.heard(report)
                self._overseer.heard(report)
            if life.overdue:
                return f"nothing for {life.deadline:g} s"
        return None
