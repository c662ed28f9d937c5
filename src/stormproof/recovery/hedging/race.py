"""Several attempts at one call, side by side; the first that succeeds answers."""

from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple

from stormproof.recovery.classification import verdict
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import HedgeStarted, HedgeWon, bus
from stormproof.recovery.latency import LatencyRecord
from stormproof.recovery.retries.attempts import describe
from stormproof.recovery.retries.budget import RetryBudget


class Terms(NamedTuple):
    """What holds for every race of one hedge in one pipeline.

    Attributes:
        pipeline: What events call the pipeline.
        strategy: What events call the hedge.
        extra: How many attempts there may be beside the first.
        budget: What is charged for each of them.
        earning: What counts each call that succeeds.
        latencies: Where it is noted how long the first attempts take.
    """

    pipeline: str
    strategy: str
    extra: int
    budget: RetryBudget | None
    earning: RetryBudget | None
    latencies: LatencyRecord | None


class Race(ABC):
    """Decides which attempts begin, and which outcome is that of the call.

    A retriable failure starts the next attempt at once, unless it asks to wait; any other failure
    is that of the call (gRPC A6). If all fail, the call fails as it would have with the first
    attempt alone, and the errors of the others are notes on that.

    Args:
        terms: What holds for all races.
        delay: Seconds without an answer after which each next attempt begins; None if none shall.
    """

    def __init__(self, terms: Terms, delay: float | None) -> None:
        self._terms: Final = terms
        self._delay: Final = delay
        self._clock: Final = current_clock()
        self._begun: Final = self._clock.now()
        self._started = self._running = 1
        self._most = 1 if delay is None else 1 + terms.extra
        self._errors: dict[int, Exception] = {}
        self._error: BaseException | None = None
        self._value: Any = None
        self._decided = False

    @abstractmethod
    def _launch(self, number: int) -> bool:
        """Begin an attempt and the delay before the next; return whether that was possible."""

    @abstractmethod
    def _wake(self) -> None:
        """Let whoever waits for the outcome know that it is there."""

    def answer(self) -> Any:
        """Return what the call is to return, or raise what it is to raise; once, when decided."""
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def _hedge(self) -> None:
        """Begin the next attempt, if there may be one."""
        terms = self._terms
        if self._decided or self._started >= self._most or remaining() == 0:
            return
        if terms.budget is not None and not terms.budget.withdraw():
            self._most = self._started
            return
        self._started = number = self._started + 1
        self._running += 1
        if not self._launch(number):
            self._running -= 1
            self._most = number
        elif bus.listeners:
            self._publish(HedgeStarted, attempt=number, delay=self._clock.now() - self._begun)

    def _succeeded(self, number: int, value: Any) -> None:
        """Decide for ``value``; not to be called any more when the race is decided."""
        terms = self._terms
        if terms.earning is not None:
            terms.earning.deposit()
        if terms.latencies is not None and 1 not in self._errors:
            # If another one was faster the first took at least as long as this. Left out, the slow
            # ones would be missing, and the delay would shrink with every hedge that wins.
            terms.latencies.add(self._clock.now() - self._begun)
        self._value = value
        self._decided = True
        if number > 1:
            if bus.listeners:
                self._publish(HedgeWon, attempt=number)
            self._wake()

    def _failed(self, number: int, error: Exception) -> None:
        """Take note that an attempt failed; begin the next, or decide for a failure."""
        if self._decided:
            return
        said = verdict(error)
        if said is None or not said.retriable:
            self._fail(error)
            return
        self._errors[number] = error
        if said.retry_after:
            self._most = self._started
        self._hedge()
        self._ended()

    def _ended(self) -> None:
        """Take note that an attempt has ended without an answer."""
        self._running -= 1
        if not self._running and not self._decided:
            self._fail(self._errors[1])

    def _fail(self, error: BaseException) -> None:
        for number, other in self._errors.items():
            if other is not error:
                _note(error, f"attempt {number}, beside it: ", describe(other))
        self._error = error
        self._decided = True
        self._wake()

    def _publish(self, kind: type, **fields: Any) -> None:
        bus.publish(kind(pipeline=self._terms.pipeline, strategy=self._terms.strategy, **fields))


def _note(error: BaseException, prefix: str, text: str) -> None:
    """Leave a note in the place of that of an earlier race: an error used twice does not grow."""
    # Through its dictionary: an exception may refuse new attributes, as a frozen dataclass does.
    state = vars(error)
    others = [note for note in state.get("__notes__", ()) if not note.startswith(prefix)]
    state["__notes__"] = [*others, prefix + text]
