"""What is known of how a process of the engine died."""

import errno
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_FACTS: Final = ("State", "Threads", "VmRSS", "VmSwap")


class Cause(StrEnum):
    """The kinds of death."""

    START = "start"
    EXIT = "exit"
    SIGNAL = "signal"
    HANG = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of a process, as far as can be told from outside.

    Attributes:
        cause: What kind of death it was.
        detail: Why it could not be started, the signal's name, the exit status, or how long
            nothing came.
        facts: What the kernel said of the process before it was killed for hanging.
        stacks: The stacks of its threads, if it could still write them.
    """

    cause: Cause
    detail: str
    facts: str = ""
    stacks: str = ""

    @property
    def stopped(self) -> bool:
        """Whether it hung because somebody had stopped it: no process does that to itself."""
        return "State: T" in self.facts or "State: t" in self.facts

    @property
    def killed(self) -> bool:
        """Whether it ended as when a person kills it, or the kernel for want of memory."""
        return self.cause is Cause.SIGNAL and self.detail == signal.SIGKILL.name

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}"


def unborn(error: OSError) -> Death:
    """Say that the system has no room for another process: no descriptor, no memory, no number."""
    return Death(cause=Cause.START, detail=errno.errorcode.get(error.errno or 0, "unknown"))


def exited(status: int) -> tuple[Cause, str]:
    """Read an exit status as `subprocess` gives it."""
    if status >= 0:
        return Cause.EXIT, f"status {status}"
    try:
        return Cause.SIGNAL, signal.Signals(-status).name
    except ValueError:
        return Cause.SIGNAL, f"signal {-status}"


def facts_of(pid: int) -> str:
    """Say what the kernel knows of a live process; empty where it does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        place = Path(f"/proc/{pid}/wchan").read_text("utf-8")
    except OSError:
        return ""
    facts = [" ".join(line.split()) for line in lines if line.startswith(_FACTS)]
    return "; ".join([*facts, f"wchan: {place}"])
