"""Leaving a failing dependency alone until it has had time to recover.

The pattern is that of Nygard, "Release It!" (2007); bounded probes and a minimum volume are as in
resilience4j and Polly. A circuit belongs to its breaker: pipelines that share a breaker share it,
so make one breaker for each dependency.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from stormproof.errors import CircuitOpen, Problems
from stormproof.recovery.circuits.break_length import GrowingBreak
from stormproof.recovery.circuits.circuit import Circuit, CircuitOptions, CircuitState, Pass
from stormproof.recovery.circuits.opening_rules import ConsecutiveFailures, OpeningRule
from stormproof.recovery.circuits.rest import Rest
from stormproof.recovery.classification import ErrorFilter, failure_filter, is_filter
from stormproof.recovery.events import (
    CallRejected,
    CircuitClosed,
    CircuitFollowed,
    CircuitHalfOpened,
    CircuitOpened,
    Event,
    bus,
)
from stormproof.recovery.options import check_count, check_seconds
from stormproof.recovery.sharing.store import Store, arun, run
from stormproof.recovery.strategy import Admission, Call, Gate, Site, Strategy

if TYPE_CHECKING:
    from stormproof.recovery.sharing.shared_circuit import SharedCircuit


@dataclass(frozen=True, eq=False)
class CircuitBreaker(Admission[Pass]):
    """Stops calls to a dependency that fails or is slow, and probes it after a while.

    A cancelled call, a ``KeyboardInterrupt`` and a stream closed by its consumer are no outcomes:
    neither failure nor success. Nor is an error that does not count as a failure. A stream counts
    when it ends; whether it is slow, its first item decides. A retry that waits longer than its
    ``max_delay`` for a rejection does not wait.

    Args:
        name: Which dependency this is.
        opens_on: How many failures, or slow calls, are too many: ``ConsecutiveFailures``,
            ``FailureRate``, ``SlowCallRate``, or several of them, each of which is enough.
        open_for: Seconds to reject everything once open, or a ``GrowingBreak``.
        probes: How many calls at once may then probe the dependency.
        successes_to_close: How many probes must succeed to close again. A slow one has failed.
        probe_lease: Seconds after which the slot of a probe that has not come back is free. More
            than the longest good call takes.
        failures: Which errors count. By default every one that is not a client error; foreign
            exceptions count as what they translate to.
        store: Where the circuit lives, if several processes share it: all that have a breaker of
            this name in this store. What another process brought about, this one learns of with
            its next call. By default it is this process's own, and costs nothing.
    """

    name: str
    opens_on: OpeningRule | Sequence[OpeningRule] = field(default_factory=ConsecutiveFailures)
    open_for: float | GrowingBreak = 60.0
    probes: int = 1
    successes_to_close: int = 1
    probe_lease: float = 120.0
    failures: ErrorFilter | None = None
    store: Store | None = None
    _counts: Callable[[Exception], bool] = field(init=False, repr=False)
    _circuit: Circuit = field(init=False, repr=False)
    _rest: Rest = field(init=False, repr=False)
    _shared: "SharedCircuit | None" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        # Those that are not options: they belong to the circuit, which lives and changes.
        vars(self)["_counts"] = failure_filter(self.failures)
        vars(self)["_circuit"] = Circuit(
            self._circuit_options, rejection=self._reject, on_transition=self._announce
        )
        vars(self)["_rest"] = Rest()
        vars(self)["_shared"] = None if self.store is None else self._share(self.store)

    def _check(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name the dependency", "missing")
        fine = bool(self._rules) and all(isinstance(one, OpeningRule) for one in self._rules)
        problems.check(fine, "opens_on", "must be a rule, such as FailureRate, or several", "rule")
        if not isinstance(self.open_for, GrowingBreak):
            check_seconds(problems, "open_for", self.open_for)
        check_count(problems, "probes", self.probes)
        check_count(problems, "successes_to_close", self.successes_to_close)
        check_seconds(problems, "probe_lease", self.probe_lease)
        fine = self.failures is None or is_filter(self.failures)
        problems.check(fine, "failures", "must select errors by class or predicate", "filter")
        fine = self.store is None or isinstance(self.store, Store)
        problems.check(fine, "store", "must be a store, such as RedisStore", "store")
        problems.raise_if_any("the circuit breaker is not valid")

    @property
    def _rules(self) -> tuple[OpeningRule, ...]:
        return tuple(self.opens_on) if isinstance(self.opens_on, Sequence) else (self.opens_on,)

    @property
    def _circuit_options(self) -> CircuitOptions:
        lasts = self.open_for
        return CircuitOptions(
            opens_on=self._rules,
            open_for=lasts if isinstance(lasts, GrowingBreak) else GrowingBreak.always(lasts),
            probes=self.probes,
            successes_to_close=self.successes_to_close,
            probe_lease=self.probe_lease,
        )

    def __str__(self) -> str:
        opens_on = " or ".join(map(str, self._rules))
        return f"CircuitBreaker {self.name} at {opens_on} for {self._circuit_options.open_for}"

    @property
    def state(self) -> CircuitState:
        """The present state; an open circuit half-opens with the first call after its break.

        Of a shared circuit, what this process last heard.
        """
        return self._circuit.state

    @property
    def retry_after(self) -> float | None:
        """Seconds until a call is let in: 0 if one is now, None if only a person will close it.

        Of a shared circuit, what this process last heard; 0 if it was isolated then, since only a
        call learns that it was closed elsewhere.
        """
        wait = self._circuit.wait()
        if wait < inf:
            return wait
        return None if self._shared is None else 0.0

    @property
    def rest(self) -> Rest:
        """For how long the dependency asked to be left alone, as far as this process knows."""
        return self._rest if self._shared is None else self._shared.rest

    @property
    def remembers(self) -> bool:
        """Whether its store allows it to go by what it heard last."""
        return self.store is not None and self.store.memory > 0

    def look(self) -> bool:
        """Hear how things stand with a shared circuit; return whether that was news."""
        return self._shared is not None and run(self._shared.store, self._shared.look())

    async def alook(self) -> bool:
        """Hear how things stand with a shared circuit; return whether that was news."""
        return self._shared is not None and await arun(self._shared.store, self._shared.look())

    def isolate(self) -> None:
        """Reject every call, whatever the dependency does, until ``close``."""
        self._force(CircuitState.ISOLATED)

    def close(self) -> None:
        """Let every call through again and forget all failures."""
        self._force(CircuitState.CLOSED)

    def _force(self, state: CircuitState) -> None:
        if self._shared is not None:
            self._shared.force(state, "")
        elif state is CircuitState.CLOSED:
            self._circuit.close("")
        else:
            self._circuit.isolate("")

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        shared = self._shared_admission()
        return shared.guard_call(call, site) if shared else super().guard_call(call, site)

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        shared = self._shared_admission()
        return shared.guard_coroutine(call, site) if shared else super().guard_coroutine(call, site)

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator: what counts is how the stream ends."""
        shared = self._shared_admission()
        return shared.guard_stream(call, site) if shared else super().guard_stream(call, site)

    def gate(self) -> Gate[Pass]:
        """Return what to do around every call."""
        circuit = self._circuit
        return Gate(circuit.enter, circuit.succeeded, self._failed, circuit.answered)

    def _failed(self, given: Pass, error: BaseException, pipeline: str) -> None:
        if isinstance(error, Exception) and self._counts(error):
            self._circuit.failed(given, pipeline)
        else:
            self._circuit.abandoned(given)

    def _share(self, store: Store) -> "SharedCircuit":
        from stormproof.recovery.sharing.shared_circuit import SharedCircuit  # noqa: PLC0415 - few share

        return SharedCircuit(
            self.name,
            self._circuit_options,
            store,
            own=self._circuit,
            rejection=self._reject,
            on_transition=self._announce,
            on_heard=self._follow,
        )

    def _shared_admission(self) -> Strategy | None:
        return None if self._shared is None else self._shared.admission(self._counts)

    def _reject(self, seconds: float, pipeline: str) -> CircuitOpen:
        wait = seconds if seconds < inf else None
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self.name, retry_after=wait))
        return CircuitOpen(circuit=self.name, retry_after=wait)

    def _announce(self, state: CircuitState, seconds: float, pipeline: str) -> None:
        if bus.listeners:
            bus.publish(self._event(state, seconds, pipeline))

    def _follow(self, state: CircuitState, pipeline: str) -> None:
        if bus.listeners:
            bus.publish(CircuitFollowed(pipeline=pipeline, strategy=self.name, state=state))

    def _event(self, state: CircuitState, seconds: float, pipeline: str) -> Event:
        if state is CircuitState.CLOSED:
            return CircuitClosed(pipeline=pipeline, strategy=self.name)
        if state is CircuitState.HALF_OPEN:
            return CircuitHalfOpened(pipeline=pipeline, strategy=self.name)
        wait = seconds if seconds < inf else None
        return CircuitOpened(pipeline=pipeline, strategy=self.name, retry_after=wait)
