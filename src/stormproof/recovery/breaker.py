"""Leaving a failing dependency alone until it has had time to recover.

The pattern is that of Nygard, "Release It!" (2007); bounded probes and a minimum volume are as in
resilience4j and Polly. A circuit belongs to its breaker: pipelines that share a breaker share it,
so make one breaker for each dependency.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from stormproof.errors import CircuitOpen, Problems
from stormproof.recovery.circuit import Circuit, CircuitState, Pass
from stormproof.recovery.classification import ErrorFilter, failure_filter, is_filter
from stormproof.recovery.events import (
    CallRejected,
    CircuitClosed,
    CircuitHalfOpened,
    CircuitOpened,
    Event,
    bus,
)
from stormproof.recovery.failure_counts import ConsecutiveFailures, FailureRule
from stormproof.recovery.options import check_count, check_seconds
from stormproof.recovery.strategy import Admission, Gate


@dataclass(frozen=True, eq=False)
class CircuitBreaker(Admission[Pass]):
    """Stops calls to a dependency that fails, and probes it after a while.

    A cancelled call, a ``KeyboardInterrupt`` and a stream closed by its consumer are no outcomes:
    neither failure nor success. Nor is an error that does not count as a failure. A stream counts
    when it ends. A retry that waits longer than its ``max_delay`` for a rejection does not wait.

    Args:
        name: Which dependency this is.
        opens_on: How many failures are too many: ``ConsecutiveFailures`` or ``FailureRate``.
        open_for: Seconds to reject everything once open.
        probes: How many calls at once may then probe the dependency.
        successes_to_close: How many probes must succeed to close again.
        probe_lease: Seconds after which the slot of a probe that has not come back is free. More
            than the longest good call takes.
        failures: Which errors count. By default every one that is not a client error; foreign
            exceptions count as what they translate to.
    """

    name: str
    opens_on: FailureRule = field(default_factory=ConsecutiveFailures)
    open_for: float = 60.0
    probes: int = 1
    successes_to_close: int = 1
    probe_lease: float = 120.0
    failures: ErrorFilter | None = None
    _counts: Callable[[Exception], bool] = field(init=False, repr=False)
    _circuit: Circuit = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name the dependency", "missing")
        fine = isinstance(self.opens_on, FailureRule)
        problems.check(fine, "opens_on", "must be ConsecutiveFailures or FailureRate", "rule")
        check_seconds(problems, "open_for", self.open_for)
        check_count(problems, "probes", self.probes)
        check_count(problems, "successes_to_close", self.successes_to_close)
        check_seconds(problems, "probe_lease", self.probe_lease)
        fine = self.failures is None or is_filter(self.failures)
        problems.check(fine, "failures", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the circuit breaker is not valid")
        # The two that are not options: they belong to the circuit, which lives and changes.
        vars(self)["_counts"] = failure_filter(self.failures)
        vars(self)["_circuit"] = Circuit(
            opens_on=self.opens_on,
            open_for=self.open_for,
            probes=self.probes,
            successes_to_close=self.successes_to_close,
            probe_lease=self.probe_lease,
            rejection=self._reject,
            on_transition=self._announce,
        )

    def __str__(self) -> str:
        return f"CircuitBreaker {self.name} at {self.opens_on} for {self.open_for:g}s"

    @property
    def state(self) -> CircuitState:
        """The present state; an open circuit half-opens with the first call after its break."""
        return self._circuit.state

    @property
    def retry_after(self) -> float | None:
        """Seconds until a call is let in: 0 if one is now, None if only a person will close it."""
        wait = self._circuit.wait()
        return wait if wait < inf else None

    def isolate(self) -> None:
        """Reject every call, whatever the dependency does, until ``close``."""
        self._circuit.isolate("")

    def close(self) -> None:
        """Let every call through again and forget all failures."""
        self._circuit.close("")

    def gate(self) -> Gate[Pass]:
        """Return what to do around every call."""
        return Gate(self._circuit.enter, self._circuit.succeeded, self._failed)

    def _failed(self, given: Pass, error: BaseException, pipeline: str) -> None:
        if isinstance(error, Exception) and self._counts(error):
            self._circuit.failed(given, pipeline)
        else:
            self._circuit.abandoned(given)

    def _reject(self, seconds: float, pipeline: str) -> CircuitOpen:
        wait = seconds if seconds < inf else None
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self.name, retry_after=wait))
        return CircuitOpen(circuit=self.name, retry_after=wait)

    def _announce(self, state: CircuitState, pipeline: str) -> None:
        if bus.listeners:
            bus.publish(self._event(state, pipeline))

    def _event(self, state: CircuitState, pipeline: str) -> Event:
        if state is CircuitState.CLOSED:
            return CircuitClosed(pipeline=pipeline, strategy=self.name)
        if state is CircuitState.HALF_OPEN:
            return CircuitHalfOpened(pipeline=pipeline, strategy=self.name)
        wait = self.open_for if state is CircuitState.OPEN else None
        return CircuitOpened(pipeline=pipeline, strategy=self.name, retry_after=wait)
