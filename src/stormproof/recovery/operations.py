"""What strategies want of their shared state: one frozen record for each step.

Every operation brings the options that it goes by, so a store knows nothing of strategies, and
processes with different options, as during a deployment, do each other no harm.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stormproof.recovery.circuit import CircuitOptions, CircuitState
from stormproof.recovery.store import Operation


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


class CircuitReport(NamedTuple):
    """How things stand with a circuit.

    Attributes:
        state: Its state.
        moved: Whether this operation brought it about.
        wait: Seconds until a call may be made, infinite if nobody knows; for one that asked to
            enter, 0 if it may be made.
        generation: The period's.
    """

    state: CircuitState
    moved: bool
    wait: float
    generation: int


@dataclass(frozen=True, slots=True)
class EnterCircuit(Operation[CircuitReport]):
    """Let a call be made.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        token: Names the call, in case that it is a probe.
    """

    name: str
    options: CircuitOptions
    token: str

    def undo(self) -> "AbandonProbe":
        """Return the slot that the call may have been given."""
        return AbandonProbe(self.name, self.options, self.token)


@dataclass(frozen=True, slots=True)
class AbandonProbe(Operation[CircuitReport]):
    """Take note that a probe ended without saying anything about the callee.

    Attributes:
        name: Of the circuit.
        options: How it behaves.
        token: Of the call that was, or may have been, a probe.
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
    """

    name: str
    options: CircuitOptions
    generation: int
    token: str
    failed: bool
    took: float

    def undo(self) -> AbandonProbe | None:
        """Return the slot of a probe, in case that its outcome did not arrive."""
        return AbandonProbe(self.name, self.options, self.token) if self.token else None


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
