"""What happened while calls were guarded: frozen records on one bus.

This floor neither logs nor counts. Whoever wants to know subscribes:

    unsubscribe = subscribe(lambda event: print(event))

Listeners are called at once, on the thread of the guarded call; one that takes its time subscribes
with ``background=True``, and delays no call. Events are built only while somebody listens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from threading import RLock
from typing import ClassVar, Final

from stormproof.errors import CapacityExceeded, Severity
from stormproof.recovery.background import BackgroundListener
from stormproof.recovery.circuits.circuit import CircuitState

MOST_LISTENERS: Final = 64
"""More than this is a leak: somebody subscribes for each call."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something a strategy did.

    Attributes:
        pipeline: The pipeline's name, or that of the function it decorates; empty for what was
            done by hand, outside any call.
        strategy: The name of the strategy.
    """

    severity: ClassVar[Severity] = Severity.INFO
    pipeline: str
    strategy: str


@dataclass(frozen=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt under a retry failed, whatever comes of it."""

    severity: ClassVar[Severity] = Severity.INFO
    attempt: int
    error: Exception


@dataclass(frozen=True, kw_only=True)
class RetryScheduled(Event):
    """The call will be attempted again.

    Attributes:
        attempt: The number of the coming attempt; the first retry is attempt 2.
        wait: Seconds until then.
        error: Why the attempt before it failed.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    attempt: int
    wait: float
    error: Exception


class GiveUpReason(StrEnum):
    """Why no further attempt was made."""

    ATTEMPTS_SPENT = "attempts_spent"
    NOT_RETRIABLE = "not_retriable"
    WAIT_TOO_LONG = "wait_too_long"
    DEADLINE_TOO_NEAR = "deadline_too_near"
    BUDGET_SPENT = "budget_spent"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, kw_only=True)
class RetryGaveUp(Event):
    """A call that had been, or could have been, retried fails for good.

    Attributes:
        attempts: How many were made.
        error: The last failure, which the caller gets.
        reason: What stood in the way of another attempt.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    attempts: int
    error: Exception
    reason: GiveUpReason


@dataclass(frozen=True, kw_only=True)
class CircuitOpened(Event):
    """A dependency failed, or was slow, too often; calls to it are stopped.

    Attributes:
        retry_after: Seconds until probes are let through; None if only a person will close it.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    retry_after: float | None


@dataclass(frozen=True, kw_only=True)
class CircuitHalfOpened(Event):
    """The break is over; a few probes find out whether the dependency is back."""

    severity: ClassVar[Severity] = Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class CircuitClosed(Event):
    """The dependency is back; calls flow again."""

    severity: ClassVar[Severity] = Severity.INFO


@dataclass(frozen=True, kw_only=True)
class CircuitFollowed(Event):
    """Another process brought a shared circuit into this state; here that was just heard.

    Attributes:
        state: The state.
    """

    severity: ClassVar[Severity] = Severity.INFO
    state: CircuitState


@dataclass(frozen=True, kw_only=True)
class CallRejected(Event):
    """A call was turned away without being made.

    Attributes:
        retry_after: Seconds until it may be let through; None if unknown.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    retry_after: float | None


@dataclass(frozen=True, kw_only=True)
class CallWaited(Event):
    """A call was let in after a wait for its turn.

    Attributes:
        wait: Seconds that it waited.
    """

    severity: ClassVar[Severity] = Severity.INFO
    wait: float


@dataclass(frozen=True, kw_only=True)
class UsageUnknown(Event):
    """What a call really used could not be told; it stays charged with its estimate.

    Attributes:
        error: What the function that should tell raised, or what is wrong with what it returned.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    error: Exception


@dataclass(frozen=True, kw_only=True)
class LimitChanged(Event):
    """An adaptive limit follows the dependency.

    Attributes:
        limit: How many calls at once there may be from now on.
        before: How many there might be before.
    """

    severity: ClassVar[Severity] = Severity.INFO
    limit: int
    before: int


@dataclass(frozen=True, kw_only=True)
class DeadlinePassed(Event):
    """A call was cut, or not begun, because its time was over.

    Attributes:
        timeout: The seconds that the deadline allowed; None if it inherited one that was over.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    timeout: float | None


@dataclass(frozen=True, kw_only=True)
class FallbackUsed(Event):
    """A call failed and something else answers for it."""

    severity: ClassVar[Severity] = Severity.WARNING
    error: Exception


@dataclass(frozen=True, kw_only=True)
class FailedOver(Event):
    """A target failed and another one is asked.

    Attributes:
        target: Which one failed.
        to: Which one is asked next.
        error: Why.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    target: str
    to: str
    error: Exception


@dataclass(frozen=True, kw_only=True)
class StreamResumed(Event):
    """A stream broke, and its source was asked for the rest.

    Attributes:
        delivered: How many items the consumer has.
        error: Why it broke.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    delivered: int
    error: Exception


@dataclass(frozen=True, kw_only=True)
class HedgeStarted(Event):
    """A call takes long, or an attempt at it has failed; it is made once more beside the others.

    Attributes:
        attempt: The number of the new attempt; the first hedge is attempt 2.
        delay: Seconds since the call began.
    """

    severity: ClassVar[Severity] = Severity.INFO
    attempt: int
    delay: float


@dataclass(frozen=True, kw_only=True)
class HedgeWon(Event):
    """An attempt that was started beside the first answered the call.

    Attributes:
        attempt: Its number.
    """

    severity: ClassVar[Severity] = Severity.INFO
    attempt: int


@dataclass(frozen=True, kw_only=True)
class ThreadPinned(Event):
    """A caller stopped waiting for a call on a worker thread, which holds the thread until it ends.

    Attributes:
        pinned: How many threads are held so, this one included.
        limit: How many threads there may be.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    pinned: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class ThreadFreed(Event):
    """A call that was left behind on a worker thread has ended.

    Attributes:
        pinned: How many threads are still held so.
        limit: How many threads there may be.
    """

    severity: ClassVar[Severity] = Severity.INFO
    pinned: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class StoreLost(Event):
    """State shared between processes is out of reach; each goes by its own until it is back.

    Attributes:
        error: Why.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    error: Exception


@dataclass(frozen=True, kw_only=True)
class StoreRegained(Event):
    """The shared state is back, and is shared again."""

    severity: ClassVar[Severity] = Severity.INFO


@dataclass(frozen=True, kw_only=True)
class StreamRestarted(Event):
    """A stream broke, and begins again; what was delivered is void.

    Attributes:
        delivered: How many items the consumer was told to discard.
        error: Why it broke.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    delivered: int
    error: Exception


@dataclass(frozen=True, kw_only=True)
class IdleTimeoutPassed(Event):
    """A stream was cut, because nothing came for too long.

    Attributes:
        seconds: How long.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    seconds: float


class ChaosEffect(StrEnum):
    """What is done to a call on purpose."""

    LATENCY = "latency"
    FAULT = "fault"
    OUTCOME = "outcome"
    CORRUPTION = "corruption"
    CUT = "cut"


@dataclass(frozen=True, kw_only=True)
class ChaosInjected(Event):
    """A call was struck on purpose; one that is struck in two ways makes two events.

    Attributes:
        effect: What was done to it.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    effect: ChaosEffect


@dataclass(frozen=True, kw_only=True)
class ListenerFailed(Event):
    """A listener raised; neither the call nor the other listeners noticed."""

    severity: ClassVar[Severity] = Severity.ERROR
    listener: str
    error: Exception


Listener = Callable[[Event], object]


class Bus:
    """Hands every event to every listener, in the order they subscribed."""

    def __init__(self) -> None:
        self._lock = RLock()  # reentrant: a finalizer may run at any point of this thread
        self.listeners: tuple[Listener, ...] = ()

    def subscribe(self, listener: Listener, *, background: bool = False) -> Callable[[], None]:
        """Have ``listener`` called with every event from now on.

        Args:
            listener: Any callable. What it raises is published as ``ListenerFailed``.
            background: Whether it is slow, and so is called on a thread of its own: in order, but
                later, and outside of the context of the call. When 10,000 events wait for it,
                those that follow are not heard, and that is published as ``ListenerFailed``. By
                default it is called at once, on the thread of the call, which waits for it.

        Returns:
            A function that ends the subscription; calling it again does nothing.

        Raises:
            CapacityExceeded: There are ``MOST_LISTENERS`` already.
            TypeError: ``listener`` cannot be called.
        """
        if not callable(listener):
            raise TypeError(f"a listener is a function of an event, not {listener!r}")
        called = _Subscription(listener)
        waiting = BackgroundListener(called, self._report_failure) if background else None
        entry: Listener = called if waiting is None else waiting

        def added(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
            if len(listeners) >= MOST_LISTENERS:
                raise CapacityExceeded(resource="event listeners", limit=MOST_LISTENERS)
            return (*listeners, entry)

        def removed(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
            return tuple(one for one in listeners if one is not entry)

        def unsubscribe() -> None:
            self._change(removed)
            if waiting is not None:
                waiting.end()

        self._change(added)
        if waiting is not None:
            waiting.start()
        return unsubscribe

    def _change(self, changed: Callable[[tuple[Listener, ...]], tuple[Listener, ...]]) -> None:
        with self._lock:
            while True:
                before = self.listeners
                after = changed(before)
                if self.listeners is before:  # no finalizer subscribed or ended in between
                    self.listeners = after
                    return

    def publish(self, event: Event) -> None:
        """Call every listener with ``event``; no listener can harm the call or another one."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a listener must not break what it observes
                self._report_failure(event, listener, error)

    def _report_failure(self, event: Event, listener: Listener, error: Exception) -> None:
        if isinstance(event, ListenerFailed):
            return  # a listener that fails for that too would be told of for ever
        self.publish(
            ListenerFailed(
                pipeline=event.pipeline,
                strategy=event.strategy,
                listener=repr(listener),
                error=error,
            )
        )


class _Subscription(partial[object]):
    """One subscription: the same function may hold several, and end each on its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        try:
            name = getattr(self.func, "__qualname__", None)
        except Exception:  # noqa: BLE001 - a listener that will not say its name harms no call
            name = None
        return name if isinstance(name, str) else type(self.func).__qualname__


bus: Final = Bus()
subscribe: Final = bus.subscribe
publish: Final = bus.publish
