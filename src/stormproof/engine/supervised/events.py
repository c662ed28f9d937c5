"""What the supervisor does, as events on the recovery bus."""

from dataclasses import dataclass
from typing import ClassVar

from stormproof.errors import Severity
from stormproof.recovery import Event


@dataclass(frozen=True, kw_only=True)
class EngineDied(Event):
    """A process of the engine died, or hung and was killed.

    Attributes:
        cause: How it died.
        detail: The signal, the exit status, or how long nothing came.
        step_requests: How many requests were in the step that it did not finish.
        open_requests: How many go on in the next process.
        wait: Seconds until that is started.
        facts: What the kernel said of the process that hung.
        stacks: The stacks of its threads, where it could still write them.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    pipeline: str = "engine"
    strategy: str = "supervisor"
    cause: str
    detail: str
    step_requests: int
    open_requests: int
    wait: float
    facts: str
    stacks: str


@dataclass(frozen=True, kw_only=True)
class EngineRecovered(Event):
    """Another process has taken over.

    Attributes:
        seconds: Since the death was noticed.
        open_requests: How many went on.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    pipeline: str = "engine"
    strategy: str = "supervisor"
    seconds: float
    open_requests: int


@dataclass(frozen=True, kw_only=True)
class RequestConvicted(Event):
    """A request was refused, because processes died of it alone.

    Attributes:
        deaths: How many.
        cause: How the last one died.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    pipeline: str = "engine"
    strategy: str = "supervisor"
    deaths: int
    cause: str
