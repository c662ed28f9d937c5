"""A circuit that lives in a store, for all processes that share it.

It moves as ``Circuit`` does; here is what one process does about it. Its own circuit stands by,
and follows the shared one from state to state: when the store is out of reach, it takes over from
where the shared one was last heard of.

Where the store's memory allows it, what was heard is gone by for a while, unless the circuit is
half open, or the last call that anybody told of had failed. Meanwhile successes are only counted,
and told with whatever is told or asked next; failures are told at once.
"""

from collections.abc import Callable
from math import inf
from os import urandom
from typing import Final, NamedTuple, TypeAlias

from stormproof.recovery.circuits.circuit import Circuit, CircuitOptions, CircuitState, Pass
from stormproof.recovery.clock import current_clock
from stormproof.recovery.sharing.operations import (
    AbandonProbe,
    CircuitReport,
    EnterCircuit,
    ForceCircuit,
    LeaveCircuit,
    LookAtCircuit,
    RestCircuit,
    Untold,
)
from stormproof.recovery.sharing.shared_admission import SharedAdmission
from stormproof.recovery.sharing.shared_rest import SharedRest
from stormproof.recovery.sharing.store import Operation, Steps, Store, result_of


class SharedPass(NamedTuple):
    """Leave to make one call, given by the shared circuit.

    Attributes:
        generation: The period in which it was given.
        probe: Its token, if the call is a probe; empty otherwise.
        began: The time from which the call is timed; infinite if it is not.
    """

    generation: int
    probe: str
    began: float


_Ticket: TypeAlias = Pass | SharedPass

_FRESH: Final = 2.0
"""Seconds after the store was to be asked again, in which successes from before may be told."""


class SharedCircuit:
    """What one process does about a circuit in a store; safe between threads.

    Args:
        name: The same in every process.
        options: How it behaves.
        store: Where it is.
        own: The process's own circuit, for when the store is out of reach.
        rejection: Makes the error for a call that may not be made, as for ``Circuit``.
        on_transition: Called after each transition that this process brought about.
        on_heard: Called when this process has heard of one that another brought about.

    Attributes:
        store: The same.
        rest: For how long the callee asked any of the processes to be left alone.
    """

    def __init__(
        self,
        name: str,
        options: CircuitOptions,
        store: Store,
        *,
        own: Circuit,
        rejection: Callable[[float, str], Exception],
        on_transition: Callable[[CircuitState, float, str], None],
        on_heard: Callable[[CircuitState, str], None],
    ) -> None:
        self._name: Final = name
        self._options: Final = options
        self.store: Final = store
        self._own: Final = own
        self._rejection: Final = rejection
        self._on_transition: Final = on_transition
        self._on_heard: Final = on_heard
        self.rest: Final = SharedRest(self._tell_rest)
        self._known_until = -inf
        self._untold = 0
        self._followed: int | None = None
        self._unheard: CircuitState | None = None  # what was forced while the store was gone

    def admission(self, counts: Callable[[Exception], bool]) -> SharedAdmission[_Ticket]:
        """Return the strategy that asks this circuit; ``counts`` says which errors are failures."""

        def failed(given: _Ticket, error: BaseException, by: str) -> Steps[None]:
            if isinstance(error, Exception) and counts(error):
                return self.failed(given, by)
            return self.abandoned(given)

        return SharedAdmission(self.store, self.enter, self.succeeded, failed, self.answered)

    def enter(self, by: str) -> Steps[_Ticket]:
        """Let a call be made.

        Raises:
            Exception: It may not; the ``rejection`` that the circuit was given makes it.
        """
        if self._unheard is not None:
            yield from self._force_again(self._unheard, by)
        elif self._is_known:
            return self._enter_as_known(by)
        token = urandom(8).hex()
        enter = EnterCircuit(self._name, self._options, token, self._tell_successes())
        report = yield from self._asked(enter)
        if report is None:
            return self._own.enter(by)
        self._heard(report, by)
        if report.wait:
            raise self._rejection(report.wait, by)
        probe = token if report.state is CircuitState.HALF_OPEN else ""
        return SharedPass(report.generation, probe, current_clock().now())

    def look(self) -> Steps[bool]:
        """Ask the store how things stand, unless that is known; return whether that was news."""
        if not self.store.memory or self._is_known:
            return False
        before = self._own.state, bool(self.rest.left())
        look = LookAtCircuit(self._name, self._options, self._tell_successes())
        report = yield from self._asked(look)
        if report is not None:
            self._heard(report, "")
        return before != (self._own.state, bool(self.rest.left()))

    def answered(self, given: _Ticket) -> _Ticket:
        """Return the pass of a call that delivers something, and is timed no longer."""
        if isinstance(given, Pass):
            return self._own.answered(given)
        return given if self._is_slow(given) else given._replace(began=inf)

    def succeeded(self, given: _Ticket, by: str) -> Steps[None]:
        """Count a success."""
        if isinstance(given, Pass):
            self._own.succeeded(given, by)
        elif given.probe or not self._is_known or self._is_slow(given):
            yield from self._left(given, by, failed=False)
        elif given.generation == self._followed:
            self._untold += 1

    def failed(self, given: _Ticket, by: str) -> Steps[None]:
        """Count a failure."""
        if isinstance(given, Pass):
            self._own.failed(given, by)
        else:
            yield from self._left(given, by, failed=True)

    def abandoned(self, given: _Ticket) -> Steps[None]:
        """Take note that a call ended without saying anything about the callee."""
        if isinstance(given, Pass):
            self._own.abandoned(given)
        elif given.probe:
            yield from result_of(AbandonProbe(self._name, self._options, given.probe))

    def force(self, state: CircuitState, by: str) -> None:
        """Have the circuit closed or isolated; inside an event loop, in the background."""
        self.store.tell(self._forced(state, by))

    def _forced(self, state: CircuitState, by: str) -> Steps[None]:
        report = yield from result_of(ForceCircuit(self._name, self._options, state))
        self._unheard = state if report is None else None
        if report is not None:
            self._heard(report, by)
        elif state is CircuitState.CLOSED:
            self._own.close(by)
        else:
            self._own.isolate(by)

    def _force_again(self, state: CircuitState, by: str) -> Steps[None]:
        """Have the store hear, now that it may be back, what a person did without it."""
        report = yield from result_of(ForceCircuit(self._name, self._options, state))
        if report is not None:
            self._unheard = None
            self._heard(report._replace(moved=False), by)  # it was published at the time

    def _left(self, given: SharedPass, by: str, *, failed: bool) -> Steps[None]:
        took = current_clock().now() - given.began
        generation, probe, _ = given
        told = self._tell_successes()
        successes = told.successes if told.generation == generation else 0
        leave = LeaveCircuit(self._name, self._options, generation, probe, failed, took, successes)
        report = yield from self._asked(leave)
        if report is not None:
            self._heard(report, by)

    @property
    def _is_known(self) -> bool:
        """Whether what was heard last may be gone by."""
        if current_clock().now() >= self._known_until:
            return False
        return self._own.state is CircuitState.CLOSED or self._own.wait() > 0

    def _asked(self, operation: Operation[CircuitReport]) -> Steps[CircuitReport | None]:
        """Ask the store; meanwhile others go by what was heard last, if they may."""
        if self._known_until > -inf:
            self._known_until = current_clock().now() + self.store.memory
        report = yield from result_of(operation)
        if report is None:
            self._known_until = -inf
        return report

    def _is_slow(self, given: SharedPass) -> bool:
        return current_clock().now() - given.began > self._options.slower_than

    def _tell_successes(self) -> Untold:
        """Return the successes that are to be told now; those of long ago would count as of now."""
        fresh = current_clock().now() < self._known_until + _FRESH
        successes, self._untold = self._untold, 0
        return Untold(self._followed or 0, successes if fresh else 0)

    def _enter_as_known(self, by: str) -> SharedPass:
        if self._own.state is not CircuitState.CLOSED or self._followed is None:
            raise self._rejection(self._own.wait(), by)
        return SharedPass(self._followed, "", current_clock().now())

    def _tell_rest(self, seconds: float) -> None:
        self.store.tell(result_of(RestCircuit(self._name, self._options, seconds)))

    def _heard(self, report: CircuitReport, by: str) -> None:
        before = self._own.state
        if report.generation != self._followed or report.state is not before:
            self._followed = report.generation
            self._untold = 0
            self._own.follow(report.state, report.wait)
        self.rest.heard(report.rest)
        self._known_until = current_clock().now() + self._lasts(report)
        if report.moved:
            self._on_transition(report.state, report.wait, by)
        elif report.state is not before:
            self._on_heard(report.state, by)

    def _lasts(self, report: CircuitReport) -> float:
        """Return the seconds for which a report may be gone by."""
        uncertain = report.troubled or report.state is CircuitState.HALF_OPEN
        return -inf if uncertain else self.store.memory
