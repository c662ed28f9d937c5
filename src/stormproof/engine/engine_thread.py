"""The thread in which the engine works."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from stormproof.engine.core import EngineCore
from stormproof.engine.mailbox import Letter, Mailbox, deliver
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.engine.stats import EngineStats
from stormproof.errors import InternalError, ServiceUnavailable, StormproofError, translate

Command = Callable[[], None]

_LAST_STEP: Final = 10.0
_OBEYING: Final = 0.2
"""Seconds after which commands have to wait for a step: compiling a grammar may take one."""


class EngineThread:
    """Steps the engine while there is work, and sleeps while there is none.

    The engine belongs to the thread alone. Others leave commands, which it runs between two steps,
    and read the snapshot that it publishes after each.

    Args:
        core: The engine; nobody else may use it from now on.
        clock: Seconds, for the heartbeat.
        stall_after: Seconds without a finished step, while there is work, that count as hung.
    """

    def __init__(
        self,
        core: EngineCore,
        *,
        clock: Callable[[], float] = time.monotonic,
        stall_after: float = 60.0,
    ) -> None:
        self.model: Final = core.model
        self.tokenizer: Final = core.tokenizer
        self.limits: Final = core.limits
        self._stats = core.stats()
        self._core = core
        self._clock = clock
        self._stall_after = stall_after
        self._heartbeat = clock()
        self._asleep = True
        self._stopping = False
        self._ended = False
        self._open: set[Mailbox] = set()
        self._mailboxes: dict[int, Mailbox] = {}
        self._awaiting_idle: list[Future[None]] = []
        self._commands: deque[Command] = deque()
        self._woken = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stormproof-engine", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it sleeps for want of work, or finished a step lately."""
        beats = self._asleep or self._clock() - self._heartbeat < self._stall_after
        return self._thread.is_alive() and beats

    @property
    def ready(self) -> bool:
        """As ``alive``: one thread is all there is."""
        return self.alive

    @property
    def stats(self) -> EngineStats:
        """The numbers as they were after the last step."""
        return self._stats

    def submit(
        self, mailbox: Mailbox, prompt: Sequence[int], params: SamplingParams, urgency: Urgency
    ) -> None:
        """Have a request answered into a mailbox; a refusal goes there as well.

        Raises:
            ServiceUnavailable: The thread has ended.
        """
        with self._woken:
            if self._ended:
                raise ServiceUnavailable(reason="the engine has stopped")
            self._open.add(mailbox)
        self._post(lambda: self._add(mailbox, prompt, params, urgency))

    def cancel(self, mailbox: Mailbox) -> None:
        """Give up the request of a mailbox, if it has not ended; never raises."""
        with self._woken:
            self._open.discard(mailbox)
        self._post(lambda: self._abort(mailbox))

    def fail_all(self, make_error: Callable[[], StormproofError]) -> None:
        """End every stream with an error, at once and from any thread, even if a step hangs.

        Args:
            make_error: Makes the error of one stream; raising one object in many places would mix
                their tracebacks.
        """
        with self._woken:
            letters = [(mailbox, make_error()) for mailbox in self._open]
        deliver(letters)

    def when_idle(self) -> Future[None]:
        """Return a future that is done once no request is left."""
        future: Future[None] = Future()
        self._post(lambda: self._awaiting_idle.append(future))
        return future

    def stop(self) -> None:
        """End the thread after the step it is in; one that hangs is left behind."""
        with self._woken:
            self._commands.appendleft(self._leave)
            self._woken.notify()
        self._thread.join(_LAST_STEP)

    def _post(self, command: Command) -> None:
        with self._woken:
            self._commands.append(command)
            self._woken.notify()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._await_work()
                self._obey_some()
                self._step()
        finally:
            with self._woken:
                self._ended = True
            self.fail_all(lambda: InternalError(reason="the engine's thread has ended"))

    def _await_work(self) -> None:
        """Sleep until there is something to do."""
        with self._woken:
            self._asleep = not self._core.has_work
            if self._asleep:
                self._woken.wait_for(lambda: self._commands)
            self._asleep = False
            self._heartbeat = self._clock()

    def _obey_some(self) -> None:
        """Obey what was asked for, but keep nobody's next token waiting for all of it."""
        until = self._clock() + _OBEYING
        while self._commands:
            self._commands.popleft()()
            if self._clock() >= until:
                break

    def _step(self) -> None:
        letters: list[Letter] = []
        for seq_id, output in self._core.step():
            ended = output.finish_reason is not None
            mailbox = self._mailboxes.pop(seq_id) if ended else self._mailboxes[seq_id]
            letters.append((mailbox, output))
        self._stats = self._core.stats()
        deliver(letters)
        if not self._core.has_work:
            self._report_idle()

    def _report_idle(self) -> None:
        for future in self._awaiting_idle:
            if future.set_running_or_notify_cancel():
                future.set_result(None)
        self._awaiting_idle.clear()

    def _add(
        self, mailbox: Mailbox, prompt: Sequence[int], params: SamplingParams, urgency: Urgency
    ) -> None:
        try:
            self._mailboxes[self._core.add(prompt, params, urgency=urgency)] = mailbox
        except Exception as error:  # noqa: BLE001 - one request must not take others with it
            deliver([(mailbox, translate(error))])

    def _abort(self, mailbox: Mailbox) -> None:
        for seq_id in [number for number, owner in self._mailboxes.items() if owner is mailbox]:
            del self._mailboxes[seq_id]
            self._core.abort(seq_id)

    def _leave(self) -> None:
        self._stopping = True
