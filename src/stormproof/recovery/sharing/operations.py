"""What strategies want of their shared state: one frozen record for each step.

Every operation brings the options that it goes by, so a store knows nothing of strategies, and
processes with different options, as during a deployment, do each other no harm.
"""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from stormproof.recovery.circuits.circuit import CircuitOptions, CircuitState
from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.sharing.store import Operation


class Balance(NamedTuple):
    """What is left of a retry budget.

    Attributes:
        retries: How many could be scheduled at once.
        granted: Whether the operation was carried out.
    """

    retries: float
    granted: bool


@dataclass(frozen=True, slots=True)
class ChangeBalance(Operation[Balance]):
    """Change the balance of a retry budget.

    Attributes:
        name: Of the budget.
        retries: What to add; less than 0 takes some.
        least: The balance without which nothing is changed.
        rest: The balance to which it drifts, and with which it begins.
        window: Seconds in which it drifts there, but for 1/e of the difference.
    """

    name: str
    retries: float
    least: float
    rest: float
    window: float

    def undo(self, result: Balance) -> "ChangeBalance | None":
        """Return what was taken."""
        if self.retries > 0 or not result.granted:
            return None
        return ChangeBalance(self.name, -self.retries, -inf, self.rest, self.window)


class Untold(NamedTuple):
    """Calls that have succeeded, and of which the store has not heard.

    Attributes:
        generation: In which they were let in.
        successes: How many.
    """

    generation: int
    successes: int


class CircuitReport(NamedTuple):
    """How things stand with a circuit.

    Attributes:
        state: Its state.
        moved: Whether this operation brought it about.
        wait: Seconds until a call may be made, infinite if nobody knows; for one that asked to
            enter, 0 if it may be made.
        generation: The period's.
        rest: Seconds for which the callee still wants to be left alone.
        troubled: Whether the last call that anybody told of had failed.
    """

    state: CircuitState
    moved: bool
    wait: float
    generation: int
    rest: float = 0.0
    troubled: bool = False


@dataclass(frozen=True, slots=True)
class EnterCircuit(Operation[CircuitReport]):
    """Let a call be made.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        token: Names the call, in case that it is a probe.
        untold: What succeeded before.
    """

    name: str
    options: CircuitOptions
    token: str
    untold: Untold

    def undo(self, result: CircuitReport) -> "AbandonProbe | None":
        """Return the slot of a probe."""
        if result.wait or result.state is not CircuitState.HALF_OPEN:
            return None
        return AbandonProbe(self.name, self.options, self.token)


@dataclass(frozen=True, slots=True)
class LookAtCircuit(Operation[CircuitReport]):
    """Learn how things stand.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        untold: What succeeded before.
    """

    name: str
    options: CircuitOptions
    untold: Untold


@dataclass(frozen=True, slots=True)
class RestCircuit(Operation[CircuitReport]):
    """Let all know for how long the callee asked to be left alone.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        seconds: From now on; 0 for no longer.
    """

    name: str
    options: CircuitOptions
    seconds: float


@dataclass(frozen=True, slots=True)
class AbandonProbe(Operation[CircuitReport]):
    """Take note that a probe ended without saying anything about the callee.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        token: Of the probe.
    """

    name: str
    options: CircuitOptions
    token: str


@dataclass(frozen=True, slots=True)
class LeaveCircuit(Operation[CircuitReport]):
    """Count the outcome of a call.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        generation: In which the call was let in.
        token: Of a probe; empty if the call was none.
        failed: Whether it failed.
        took: Seconds; less than 0 if it was not timed.
        successes: How many calls of the same generation have succeeded before, and were not told
            of.
    """

    name: str
    options: CircuitOptions
    generation: int
    token: str
    failed: bool
    took: float
    successes: int


@dataclass(frozen=True, slots=True)
class ForceCircuit(Operation[CircuitReport]):
    """Have the circuit in a state, whatever it is in.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        state: Closed or isolated.
    """

    name: str
    options: CircuitOptions
    state: CircuitState


class Permits(NamedTuple):
    """What became of a wish for permits.

    Attributes:
        wait: Seconds until they are there; if those are more than the longest wait, none were
            taken.
        more: Whether those for later were taken, too.
    """

    wait: float
    more: bool


@dataclass(frozen=True, slots=True)
class TakePermits(Operation[Permits]):
    """Take permits from every bucket, ahead of their time if need be, or from none.

    Attributes:
        name: Of the limit.
        rates: Of its buckets.
        amounts: How many from each.
        longest: Seconds.
        more: How many for later, where all of them are there at once.
    """

    name: str
    rates: tuple[Rate, ...]
    amounts: tuple[float, ...]
    longest: float
    more: tuple[float, ...]

    def undo(self, result: Permits) -> "ChargePermits | None":
        """Return what was taken."""
        if result.wait > self.longest:
            return None
        taken = zip(self.amounts, self.more, strict=True)
        back = tuple(-amount - more * result.more for amount, more in taken)
        return ChargePermits(self.name, self.rates, back)


@dataclass(frozen=True, slots=True)
class ChargePermits(Operation[Permits]):
    """Take permits, whether they are there or not; less than 0 are given back.

    The result means nothing.

    Attributes:
        name: Of the limit.
        rates: Of its buckets.
        amounts: How many from each.
    """

    name: str
    rates: tuple[Rate, ...]
    amounts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RationPermits(Operation[Permits]):
    """Have no more than this left after ``delay`` seconds; never more than there was.

    The result means nothing.

    Attributes:
        name: Of the limit.
        rates: Of its buckets.
        amounts: How many in each; infinite where it stays as it is.
        delay: Seconds, in which there is less still.
    """

    name: str
    rates: tuple[Rate, ...]
    amounts: tuple[float, ...]
    delay: float
