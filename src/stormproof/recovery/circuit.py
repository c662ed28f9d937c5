"""The state machine of a circuit breaker.

```text
CLOSED ──too many failures──▶ OPEN ──break over──▶ HALF_OPEN ──successes──▶ CLOSED
                               ▲                       │
                               └──────one failure──────┘
any ──isolate()──▶ ISOLATED ──close()──▶ CLOSED
```

Each period between two transitions has a generation number. A call takes the number along and
gives it back with its outcome; what comes back from an earlier period is ignored. A probe of a
half-open circuit also holds a lease: when it is over the slot is free again, so that a probe that
never returns does not keep the circuit from recovering.
"""

import math
from collections.abc import Callable
from enum import Enum
from threading import RLock
from typing import Final, NamedTuple

from stormproof.recovery.clock import current_clock
from stormproof.recovery.failure_counts import FailureRule


class CircuitState(Enum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    ISOLATED = "isolated"


class Pass(NamedTuple):
    """Leave to make one call; a probe if it is numbered."""

    generation: int
    probe: int | None


class Circuit:
    """Counts outcomes and decides which calls may be made; safe between threads.

    Args:
        opens_on: How many failures are too many.
        open_for: Seconds between opening and the first probe.
        probes: How many calls at once may probe a half-open circuit.
        successes_to_close: How many probes must succeed in one period.
        probe_lease: Seconds after which the slot of a probe that has not come back is free.
        rejection: Makes the error for a call that may not be made, from the seconds until one
            may, infinite if nobody knows, and whatever the call came with.
        on_transition: Called after each transition, outside the lock, with the new state and
            whatever the outcome came with.
    """

    def __init__(
        self,
        *,
        opens_on: FailureRule,
        open_for: float,
        probes: int,
        successes_to_close: int,
        probe_lease: float,
        rejection: Callable[[float, str], Exception],
        on_transition: Callable[[CircuitState, str], None],
    ) -> None:
        self._opens_on: Final = opens_on
        self._open_for: Final = open_for
        self._most_probes: Final = probes
        self._successes_to_close: Final = successes_to_close
        self._probe_lease: Final = probe_lease
        self._rejection: Final = rejection
        self._on_transition: Final = on_transition
        # Never held during a call. Reentrant, because the garbage collector may close a pending
        # coroutine, and so report a call as abandoned, at any point of this thread.
        self._lock: Final = RLock()
        self._generation = 0
        self._begin(CircuitState.CLOSED)

    @property
    def state(self) -> CircuitState:
        """The present state; an open circuit half-opens with the first call after its break."""
        return self._state

    def wait(self) -> float:
        """Return the seconds until a call may be made: 0 at once, infinite if nobody knows."""
        if self._free_pass is not None:
            return 0.0
        now = current_clock().now()
        if now < self._opens_at:
            return self._opens_at - now
        with self._lock:
            ends = [end for end in self._leases.values() if end > now]
            return min(ends) - now if len(ends) >= self._most_probes else 0.0

    def enter(self, by: str) -> Pass:
        """Let a call be made.

        Raises:
            Exception: It may not; the ``rejection`` that the circuit was given makes it.
        """
        # One read, no lock: a pass that is outdated by the time it is used has an old number.
        free = self._free_pass
        if free is not None:
            return free
        now = current_clock().now()
        if now < self._opens_at:
            raise self._rejection(self._opens_at - now, by)
        return self._probe(now, by)

    def succeeded(self, given: Pass, by: str) -> None:
        """Count a success."""
        with self._lock:
            if given.generation != self._generation:
                return
            if given.probe is None:
                self._counter.succeeded()
                return
            moved = self._probe_succeeded(given.probe)
        if moved:
            self._on_transition(CircuitState.CLOSED, by)

    def failed(self, given: Pass, by: str) -> None:
        """Count a failure."""
        with self._lock:
            if given.generation != self._generation:
                return
            if given.probe is None and not self._counter.failed():
                return
            self._begin(CircuitState.OPEN)
        self._on_transition(CircuitState.OPEN, by)

    def abandoned(self, given: Pass) -> None:
        """Take note that a call ended without saying anything about the callee."""
        if given.probe is None:
            return
        with self._lock:
            if given.generation == self._generation:
                self._leases.pop(given.probe, None)

    def isolate(self, by: str) -> None:
        """Reject every call until ``close``."""
        self._force(CircuitState.ISOLATED, by)

    def close(self, by: str) -> None:
        """Let every call through again and forget all failures."""
        self._force(CircuitState.CLOSED, by)

    def _force(self, state: CircuitState, by: str) -> None:
        with self._lock:
            moved = self._state is not state
            self._begin(state)
        if moved:
            self._on_transition(state, by)

    def _begin(self, state: CircuitState) -> None:
        """Begin a new period: the one place where the state changes."""
        self._generation += 1
        self._state = state
        self._counter = self._opens_on.counter()
        self._successes = 0
        self._leases: dict[int, float] = {}
        self._next_probe = 0
        self._opens_at = {
            CircuitState.OPEN: current_clock().now() + self._open_for,
            CircuitState.ISOLATED: math.inf,
        }.get(state, -math.inf)
        closed = state is CircuitState.CLOSED
        self._free_pass = Pass(self._generation, None) if closed else None

    def _probe(self, now: float, by: str) -> Pass:
        with self._lock:
            half_opened = self._state is CircuitState.OPEN and now >= self._opens_at
            if half_opened:
                self._begin(CircuitState.HALF_OPEN)
            given = self._free_pass or self._lease(now)
            free_at = min(self._leases.values(), default=self._opens_at)
        if half_opened:
            self._on_transition(CircuitState.HALF_OPEN, by)
        if given is None:
            raise self._rejection(free_at - now, by)
        return given

    def _lease(self, now: float) -> Pass | None:
        """Give out a slot for a probe, if there is one."""
        if self._state is not CircuitState.HALF_OPEN:
            return None
        self._leases = {probe: end for probe, end in self._leases.items() if end > now}
        if len(self._leases) >= self._most_probes:
            return None
        self._next_probe += 1
        self._leases[self._next_probe] = now + self._probe_lease
        return Pass(self._generation, self._next_probe)

    def _probe_succeeded(self, probe: int) -> bool:
        self._leases.pop(probe, None)
        self._successes += 1
        if self._successes < self._successes_to_close:
            return False
        self._begin(CircuitState.CLOSED)
        return True
