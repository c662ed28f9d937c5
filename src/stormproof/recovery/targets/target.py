"""Who may answer a call, and what has been seen of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeAlias

from stormproof.errors import CapacityExceeded, CircuitOpen, Problems, RateLimitExceeded
from stormproof.recovery.circuits.breaker import CircuitBreaker
from stormproof.recovery.circuits.circuit import CircuitState
from stormproof.recovery.circuits.rest import Rest
from stormproof.recovery.classification import blames_callee, verdict
from stormproof.recovery.clock import current_clock
from stormproof.recovery.latency import LatencyRecord
from stormproof.recovery.options import LONGEST, is_number
from stormproof.recovery.strategy import Call

Refusal: TypeAlias = Callable[..., Exception | None]

_MOST_WEIGHT: Final = 1_000_000
_MEASURED_FOR_P95: Final = 20
"""With fewer calls, the 95th percentile is only the slowest of them."""


@dataclass(frozen=True, eq=False)
class Target:
    """One of several that may answer a call.

    Args:
        name: What events, errors and the circuit call it.
        call: A function that takes the same arguments as the guarded one and returns what that
            does: a value, an awaitable or a value, or an async generator. By default the guarded
            function itself.
        weight: How often it is drawn, beside the weights of the others; 0 to a million. With 0 it
            is drawn, or chosen for its speed, only when no other one is healthy.
        breaker: What leaves it alone while it fails. By default one of this name, which does not
            count that the target is busy: a ``CapacityExceeded``, or an error that says when to
            come back. One that other pipelines use too makes them share its circuit,
            and the rest that the target asks for.
        refuses: Looks at the arguments of a call, and returns an error if the target could not
            serve it: then it is passed over, without a call. By default it serves any.
    """

    name: str
    call: Call | None = None
    weight: float = field(default=1.0, kw_only=True)
    breaker: CircuitBreaker | None = field(default=None, kw_only=True)
    refuses: Refusal | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name the target", "missing")
        fine = self.call is None or callable(self.call)
        problems.check(fine, "call", "must be a function", "callable")
        fine = is_number(self.weight) and 0 <= self.weight <= _MOST_WEIGHT
        problems.check(fine, "weight", f"must be a number from 0 to {_MOST_WEIGHT}", "number")
        fine = self.breaker is None or isinstance(self.breaker, CircuitBreaker)
        problems.check(fine, "breaker", "must be a CircuitBreaker", "breaker")
        fine = self.refuses is None or callable(self.refuses)
        problems.check(fine, "refuses", "must be a function", "callable")
        problems.raise_if_any("the target is not valid")


@dataclass(frozen=True, kw_only=True)
class TargetHealth:
    """What is known of a target.

    Attributes:
        name: Which target.
        state: The state of its circuit.
        retry_after: Seconds until it is healthy: 0 if it is, None if only a person will close its
            circuit.
        p50: The median of its last latencies in seconds, None before the first; of streams until
            their first item.
        p95: Their 95th percentile, None while they are few.
    """

    name: str
    state: CircuitState
    retry_after: float | None
    p50: float | None
    p95: float | None


class Route:
    """What a failover has seen of one target; safe between threads.

    A target is healthy if its circuit lets a call in and it has not asked for a rest that still
    lasts.
    """

    __slots__ = ("_latency", "_limited", "_rest", "breaker", "target")

    def __init__(self, target: Target) -> None:
        self.target: Final = target
        self.breaker: Final = target.breaker or CircuitBreaker(target.name, failures=is_breakdown)
        self._rest: Final = self.breaker.rest
        self._limited: Final = Rest()  # by what stands on this side, in this failover's way alone
        self._latency: Final = LatencyRecord()

    def is_healthy(self) -> bool:
        """Whether it may be asked first."""
        resting = self._rest.left() or self._limited.left()
        return not resting and self.breaker.retry_after == 0

    def rest(self) -> float:
        """Return the seconds that its errors have asked to leave it alone for, from now on."""
        return max(self._rest.left(), self._limited.left())

    def rejects_for(self) -> float:
        """Return the seconds until its circuit lets a call in, infinite if nobody knows."""
        wait = self.breaker.retry_after
        return inf if wait is None else wait

    def median(self) -> float | None:
        """Return the median latency in seconds, None before the first."""
        return self._latency.quantile(0.5, minimum=1)

    def answered(self, began: float) -> None:
        """Take note of an answer; to a call that began while it rested, it is the end of that."""
        self._latency.add(current_clock().now() - began)
        self._rest.answered(began)
        self._limited.answered(began)

    def rejected(self, error: Exception) -> bool:
        """Whether ``error`` is the rejection of its own circuit: it was not called."""
        return isinstance(error, CircuitOpen) and error.circuit == self.breaker.name

    def failed(self, error: Exception) -> None:
        """Take note of a failure; one may be quick, so it says nothing about latency."""
        asked = rest_asked_by(error)
        if asked:
            (self._limited if _is_of_ours(error) else self._rest).ask(asked)

    def health(self) -> TargetHealth:
        """Return what is known of it."""
        state = self.breaker.state
        isolated = state is CircuitState.ISOLATED
        return TargetHealth(
            name=self.target.name,
            state=state,
            retry_after=None if isolated else max(self.rejects_for(), self.rest()),
            p50=self.median(),
            p95=self._latency.quantile(0.95, minimum=_MEASURED_FOR_P95),
        )


def rest_asked_by(error: Exception) -> float:
    """Return the seconds, at most a day, that ``error`` asks to be left alone for."""
    said = verdict(error)
    asked = said.retry_after if said is not None else None
    return min(asked, LONGEST) if asked is not None and asked > 0 else 0.0


def _is_of_ours(error: Exception) -> bool:
    """Whether a limit on this side turned the call away, which concerns that limit alone."""
    said = verdict(error)
    limited = isinstance(said, RateLimitExceeded) and said.window is not None
    return limited or isinstance(said, CapacityExceeded)


def is_breakdown(error: Exception) -> bool:
    """Whether an error says that its callee is broken: to be busy is not, nor is a client's error.

    What counts for the circuit of a `Target` by default; for other breakers, as ``failures``.
    """
    busy = isinstance(error, CapacityExceeded) or rest_asked_by(error)
    return blames_callee(error) and not busy
