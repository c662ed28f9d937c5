"""An engine that does not die: its process is watched, replaced, and told where it was."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

from stormproof.engine.checkpoints.loading import Progress
from stormproof.engine.mailbox import Letter, Mailbox, deliver
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.supervised.deaths import Death
from stormproof.engine.supervised.events import EngineDied, EngineRecovered, RequestConvicted
from stormproof.engine.supervised.journal import Entry, Journal
from stormproof.engine.supervised.messages import (
    Abort,
    Add,
    Introduction,
    Loading,
    Ready,
    Refused,
    Start,
    Stepped,
    unpacked,
)
from stormproof.engine.supervised.step_record import Reading
from stormproof.engine.supervised.succession import Succession
from stormproof.engine.supervised.wire import encode
from stormproof.errors import (
    InternalError,
    ModelLoadError,
    PoisonedRequest,
    ServiceUnavailable,
    StormproofError,
)
from stormproof.recovery import current_clock, publish

_FACTORY: Final = "stormproof.engine.start:start_core"
_COME_BACK: Final = 10.0


class State(StrEnum):
    """What becomes of a request that is submitted now: it is answered, waits, or is refused.

    ```text
    STARTING ──► SERVING ◄──► MENDING ──► HOPELESS      (from anywhere: STOPPED)
                    ▲                        │
                    └────────────────────────┘
    ```
    """

    STARTING = "starting"
    SERVING = "serving"
    MENDING = "mending"
    HOPELESS = "hopeless"
    STOPPED = "stopped"


class Supervisor:
    """Runs the engine in a process of its own, and never without one for long.

    What each client has of its answer is written down here. When the process dies, or finishes no
    step for too long, the next one is told and goes on. As a token depends on nothing but those
    before it, a stream that was interrupted holds exactly what it would have held.

    Args:
        config: What to load, and how.
        factory: What makes the core of it in the process, as ``module:function``.
        progress: Told the fraction that is loaded, on another thread.

    Raises:
        ModelLoadError: The model cannot be used, or the process died of it.
        StormproofError: The engine cannot be started, as `start_core` says.
    """

    def __init__(
        self, config: EngineConfig, *, factory: str = _FACTORY, progress: Progress | None = None
    ) -> None:
        self._progress = progress
        self._now = current_clock().now
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._refusal: StormproofError | None = None
        self._introduction: Future[Introduction] = Future()
        self._journal = Journal(config.max_sequences + config.max_waiting)
        self._orders = b""
        self._awaiting_idle: list[Future[None]] = []
        self._stats = EngineStats()
        self._deaths: Counter[str] = Counter()
        self._died_at = 0.0
        self._down_seconds = 0.0
        self._succession = Succession(
            Start(config, factory, introduce=True),
            self,
            step_deadline=config.step_deadline,
            clock=current_clock(),
        )
        try:
            model = self._introduction.result()
        except BaseException:
            self.stop()
            raise
        self.model: Final = model.model
        self.tokenizer: Final = model.tokenizer
        self.limits: Final = model.limits

    @property
    def alive(self) -> bool:
        """Whether steps are finished, nothing waits, or another process is about to take over."""
        return self._state in {State.SERVING, State.MENDING} and self._succession.alive

    @property
    def ready(self) -> bool:
        """Whether there is a process to answer a request that is sent now."""
        return self._state is State.SERVING

    @property
    def stats(self) -> EngineStats:
        """The numbers as they were after the last step."""
        return replace(
            self._stats, deaths=dict(self._deaths), down_seconds=round(self._down_seconds, 6)
        )

    def submit(
        self, mailbox: Mailbox, prompt: Sequence[int], params: SamplingParams, urgency: Urgency
    ) -> None:
        """Have a request answered into a mailbox; a refusal may go there as well.

        Raises:
            CapacityExceeded: Too many requests are open.
            ServiceUnavailable: The engine was stopped, or dies again and again.
        """
        with self._lock:
            self._check_open()
            order = self._written_down(mailbox, prompt, params, urgency)
            if self._state is State.SERVING:
                self._orders += order
        self._succession.notify()

    def _written_down(
        self, mailbox: Mailbox, prompt: Sequence[int], params: SamplingParams, urgency: Urgency
    ) -> bytes:
        """Return the order for a new request, of which the journal now knows."""
        entry = self._journal.open(mailbox, prompt, params, urgency)
        try:
            return _order(entry, admitted=self._state is not State.SERVING)
        except BaseException:  # parameters that cannot travel
            self._journal.close(mailbox)
            raise

    def _check_open(self) -> None:
        if self._state is State.HOPELESS:
            raise _out_of_service()
        if self._state is State.STOPPED:
            raise ServiceUnavailable(reason="the engine has stopped")

    def cancel(self, mailbox: Mailbox) -> None:
        """Give up the request of a mailbox, if it has not ended; never raises."""
        with self._lock:
            number = self._journal.close(mailbox)
            if number is None:
                return
            if self._state is State.SERVING:
                self._orders += encode(Abort(number))
        self._succession.notify()
        self._report_idle()

    def fail_all(self, make_error: Callable[[], StormproofError]) -> None:
        """End every stream with an error, at once and from any thread, whatever the engine does.

        Args:
            make_error: Makes the error of one stream.
        """
        with self._lock:
            letters = [(entry.mailbox, make_error()) for entry in self._journal]
        deliver(letters)

    def when_idle(self) -> Future[None]:
        """Return a future that is done once no request is left."""
        future: Future[None] = Future()
        with self._lock:
            self._awaiting_idle.append(future)
        self._report_idle()
        return future

    def stop(self) -> None:
        """Kill the engine's process; it keeps nothing that anybody would miss."""
        self._succession.stop()

    # What follows is called by the succession, on its thread.

    @property
    def waiting(self) -> bool:
        """Whether any request is open."""
        return bool(self._journal)

    def orders(self) -> bytes:
        """Return what has to be said to the process."""
        with self._lock:
            orders, self._orders = self._orders, b""
        return orders

    def heard(self, report: Any) -> None:
        """Take what the process reports."""
        match report:
            case Stepped():
                self._deliver(report)
            case Introduction():
                self._introduced = report
            case Ready():
                self._hand_over(report)
            case Loading(fraction) if self._progress and self._state is State.STARTING:
                self._progress(fraction)
            case Refused(error):
                self._refusal = error

    def judge(self, death: Death, readings: Sequence[Reading]) -> bool:
        """Refuse who is to blame for a death; returns whether anybody is."""
        with self._lock:
            guilty = self._journal.accuse(death, readings)
        deliver([(entry.mailbox, _poisoned(entry, death)) for entry in guilty])
        return bool(guilty)

    def bereaved(self, death: Death, step_requests: int, wait: float, *, hopeless: bool) -> bool:
        """Learn that the process died; returns whether to go on."""
        if self._state is State.STARTING:
            refusal = self._refusal
            self._introduction.set_exception(_died_loading(death) if refusal is None else refusal)
            return False
        with self._lock:
            if self._state is State.SERVING:
                self._died_at = self._now()
            self._state = State.HOPELESS if hopeless else State.MENDING
            self._orders = b""
            self._deaths[death.cause] += 1
        if hopeless:
            self.fail_all(_out_of_service)
        self._report_idle()
        self._tell(death, step_requests, wait)
        return True

    def ended(self) -> None:
        """Learn that there will be no other process."""
        with self._lock:
            self._state = State.STOPPED
        if not self._introduction.done():
            self._introduction.set_exception(InternalError(reason="the supervisor has ended"))
        self.fail_all(lambda: ServiceUnavailable(reason="the engine has stopped"))

    def _deliver(self, report: Stepped) -> None:
        letters: list[Letter] = []
        with self._lock:
            self._stats = report.stats
            for number, output in map(unpacked, report.pieces):
                mailbox = self._journal.deliver(number, output)
                if mailbox:
                    letters.append((mailbox, output))
        deliver(letters)
        self._report_idle()

    def _hand_over(self, report: Ready) -> None:
        """Tell a new process of everything that is open."""
        with self._lock:
            for entry in self._journal:
                self._orders += _order(entry, admitted=True)
            was, self._state = self._state, State.SERVING
            self._stats = report.stats
        if was is State.STARTING:
            self._introduction.set_result(self._introduced)
            return
        seconds = self._now() - self._died_at
        self._down_seconds += seconds
        publish(EngineRecovered(seconds=seconds, open_requests=len(self._journal)))

    def _report_idle(self) -> None:
        with self._lock:
            if self._journal:
                return
            futures, self._awaiting_idle = self._awaiting_idle, []
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _tell(self, death: Death, step_requests: int, wait: float) -> None:
        refusal, self._refusal = self._refusal, None
        publish(
            EngineDied(
                cause=death.cause,
                detail=death.detail if refusal is None else refusal.code,
                step_requests=step_requests,
                open_requests=len(self._journal),
                wait=wait,
                facts=death.facts,
                stacks=death.stacks,
            )
        )


def _order(entry: Entry, *, admitted: bool) -> bytes:
    suspected = entry.suspicion.positions
    return encode(
        Add(
            entry.number,
            entry.prompt,
            entry.params,
            entry.urgency,
            entry.generated,
            alone_until=suspected.stop,
            alone_from=suspected.start,
            admitted=admitted,
        )
    )


def _poisoned(entry: Entry, death: Death) -> PoisonedRequest:
    publish(RequestConvicted(deaths=entry.suspicion.deaths, cause=str(death)))
    return PoisonedRequest(deaths=entry.suspicion.deaths, cause=str(death))


def _died_loading(death: Death) -> ModelLoadError:
    return ModelLoadError(reason=f"the process that loaded it died ({death})")


def _out_of_service() -> ServiceUnavailable:
    reason = "the engine died again and again"
    return ServiceUnavailable(reason=reason, retry_after=_COME_BACK)
