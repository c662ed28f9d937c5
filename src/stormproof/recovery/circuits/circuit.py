"""The state machine of a circuit breaker.

```text
CLOSED ──one too many──▶ OPEN ──break over──▶ HALF_OPEN ──successes──▶ CLOSED
                          ▲                       │
                          └──one failure, or slow─┘
any ──isolate()──▶ ISOLATED ──close()──▶ CLOSED
```

Each period between two transitions has a generation number. A call takes the number along and
gives it back with its outcome; what comes back from an earlier period is ignored. A probe of a
half-open circuit also holds a lease: when it is over the slot is free again, so that a probe that
never returns does not keep the circuit from recovering.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf
from threading import RLock
from typing import Final, NamedTuple

from stormproof.recovery.circuits.break_length import GrowingBreak
from stormproof.recovery.circuits.opening_rules import OpeningRule, SlowCallRate, counter_of
from stormproof.recovery.clock import current_clock


class CircuitState(Enum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    ISOLATED = "isolated"


class Pass(NamedTuple):
    """Leave to make one call.

    Attributes:
        generation: The period in which it was given.
        probe: Its number, if the call is a probe.
        began: The time from which the call is timed; infinite if it is not.
    """

    generation: int
    probe: int | None
    began: float = inf


@dataclass(frozen=True, kw_only=True)
class CircuitOptions:
    """What decides how a circuit behaves.

    Attributes:
        opens_on: Which failures and slow calls are too many; the first rule that is met decides.
        open_for: How long an open circuit rejects everything.
        probes: How many calls at once may probe a half-open circuit.
        successes_to_close: How many probes must succeed in one period.
        probe_lease: Seconds after which the slot of a probe that has not come back is free.
    """

    opens_on: tuple[OpeningRule, ...]
    open_for: GrowingBreak
    probes: int
    successes_to_close: int
    probe_lease: float

    @property
    def slower_than(self) -> float:
        """Seconds after which a call is slow, infinite if that does not matter."""
        rules = (rule for rule in self.opens_on if isinstance(rule, SlowCallRate))
        return min((rule.slower_than for rule in rules), default=inf)


class Circuit:
    """Counts outcomes and decides which calls may be made; safe between threads.

    Args:
        options: How it behaves.
        rejection: Makes the error for a call that may not be made, from the seconds until one
            may, infinite if nobody knows, and whatever the call came with.
        on_transition: Called after each transition, outside the lock, with the new state, the
            seconds until it lets a call through, infinite if nobody knows, and whatever the
            outcome came with.
    """

    def __init__(
        self,
        options: CircuitOptions,
        *,
        rejection: Callable[[float, str], Exception],
        on_transition: Callable[[CircuitState, float, str], None],
    ) -> None:
        self._options: Final = options
        self._slower_than: Final = options.slower_than
        self._times_calls: Final = options.slower_than < inf
        self._needs_time: Final = any(rule.needs_time for rule in options.opens_on)
        self._rejection: Final = rejection
        self._on_transition: Final = on_transition
        # Never held during a call. Reentrant, because the garbage collector may close a pending
        # coroutine, and so report a call as abandoned, at any point of this thread.
        self._lock: Final = RLock()
        self._generation = 0
        self._break = 0.0
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
            ends = [end for end in tuple(self._leases.values()) if end > now]
            return min(ends) - now if len(ends) >= self._options.probes else 0.0

    def enter(self, by: str) -> Pass:
        """Let a call be made.

        Raises:
            Exception: It may not; the ``rejection`` that the circuit was given makes it.
        """
        # One read, no lock: a pass that is outdated by the time it is used has an old number.
        free = self._free_pass
        if free is not None:
            if self._times_calls:
                return Pass(free.generation, None, current_clock().now())
            return free
        now = current_clock().now()
        if now < self._opens_at:
            raise self._rejection(self._opens_at - now, by)
        return self._probe(now, by)

    def answered(self, given: Pass) -> Pass:
        """Return the pass of a call that delivers something, and is timed no longer.

        From here on whoever consumes it sets the pace. Its time counts if it is too long already.
        """
        if given.began == inf or current_clock().now() - given.began > self._slower_than:
            return given
        return Pass(given.generation, given.probe)

    def succeeded(self, given: Pass, by: str) -> None:
        """Count a success."""
        if given is self._free_pass and self._counter.settled:
            return
        now = current_clock().now() if self._needs_time else 0.0
        with self._lock:
            if given is self._free_pass:
                self._counter.count_success(now)
                return
        generation, probe, began = given
        with self._lock:
            if generation != self._generation:
                return
            if probe is not None:
                state = self._after_probe(probe, now - began)
            else:
                state = CircuitState.OPEN if self._counter.count(False, now - began, now) else None
            if state is None:
                return
            wait = self._begin(state)
        self._on_transition(state, wait, by)

    def failed(self, given: Pass, by: str) -> None:
        """Count a failure."""
        now = current_clock().now() if self._needs_time else 0.0
        with self._lock:
            if given.generation != self._generation:
                return
            if given.probe is None and not self._counter.count(True, now - given.began, now):
                return
            wait = self._begin(CircuitState.OPEN)
        self._on_transition(CircuitState.OPEN, wait, by)

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

    def follow(self, state: CircuitState, wait: float) -> None:
        """Begin the period that a shared circuit is in, which lets a call through in ``wait``."""
        with self._lock:
            self._begin(state)
            if state is CircuitState.OPEN:
                self._opens_at = current_clock().now() + wait

    def _force(self, state: CircuitState, by: str) -> None:
        with self._lock:
            moved = self._state is not state
            wait = self._begin(state)
        if moved:
            self._on_transition(state, wait, by)

    def _begin(self, state: CircuitState) -> float:
        """Begin a new period: the one place where the state changes.

        Returns:
            The seconds until a call may be made.
        """
        now = current_clock().now()
        wait = self._wait_in(state)
        self._generation += 1
        self._state = state
        self._counter = counter_of(self._options.opens_on, now)
        self._successes = 0
        self._leases: dict[int, float] = {}
        self._next_probe = 0
        # Not ``now`` when there is no wait: a thread that read the clock before is not early.
        self._opens_at = now + wait if wait else -inf
        closed = state is CircuitState.CLOSED
        self._free_pass = Pass(self._generation, None) if closed else None
        return wait

    def _wait_in(self, state: CircuitState) -> float:
        if state is CircuitState.OPEN:
            self._break = self._options.open_for.following(self._break)
            return self._options.open_for.drawn(self._break)
        if state is not CircuitState.HALF_OPEN:
            self._break = 0.0
        return inf if state is CircuitState.ISOLATED else 0.0

    def _probe(self, now: float, by: str) -> Pass:
        with self._lock:
            half_opened = self._state is CircuitState.OPEN and now >= self._opens_at
            if half_opened:
                self._begin(CircuitState.HALF_OPEN)
            given = self._lease(now)
            free_at = min(self._leases.values(), default=self._opens_at)
        if half_opened:
            self._on_transition(CircuitState.HALF_OPEN, 0.0, by)
        if given is None:
            raise self._rejection(free_at - now, by)
        return given

    def _lease(self, now: float) -> Pass | None:
        """Give out a slot for a probe, if there is one; none is needed if meanwhile it closed."""
        if self._state is CircuitState.CLOSED:
            return Pass(self._generation, None, now)
        if self._state is not CircuitState.HALF_OPEN:
            return None
        for probe, end in tuple(self._leases.items()):
            if end <= now:
                self._leases.pop(probe, None)
        if len(self._leases) >= self._options.probes:
            return None
        self._next_probe += 1
        self._leases[self._next_probe] = now + self._options.probe_lease
        return Pass(self._generation, self._next_probe, now)

    def _after_probe(self, probe: int, took: float) -> CircuitState | None:
        """Return the state that a probe's success leads to, None if that is this one."""
        self._leases.pop(probe, None)
        if took > self._slower_than:
            return CircuitState.OPEN
        self._successes += 1
        enough = self._successes >= self._options.successes_to_close
        return CircuitState.CLOSED if enough else None
