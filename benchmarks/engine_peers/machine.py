"""What the figures were measured on."""

import os
import platform
from pathlib import Path


def threads() -> int:
    """Return how many processors there are for us."""
    return len(os.sched_getaffinity(0))


def describe() -> str:
    """Name the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{threads()} cores of {names[0] if names else platform.machine()}"
