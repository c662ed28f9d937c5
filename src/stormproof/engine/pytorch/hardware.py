"""What this machine has to compute with, found out without importing PyTorch."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# NVIDIA, NVIDIA under WSL, AMD.
_GPU_FILES: Final = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
_CORES: Final = Path("/sys/devices/system/cpu")
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def has_gpu() -> bool:
    """Whether PyTorch sees a GPU; it is imported only where there may be one."""
    if not has_torch() or (
        sys.platform == "linux" and not any(Path(file).exists() for file in _GPU_FILES)
    ):
        return False
    import torch  # noqa: PLC0415

    return torch.cuda.is_available()


def usable_cores(*, cores: Path = _CORES, quota: Path = _QUOTA) -> int:
    """Return how many cores this process may keep busy.

    Threads of one core share its multipliers, so only one of them counts; what a container is
    allowed counts too, as a thread that waits for its turn makes all others wait.

    Args:
        cores: Where Linux tells which CPUs are threads of one core.
        quota: Where Linux tells how much of the CPUs a container gets.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    distinct = len({_siblings(cores / f"cpu{cpu}", cpu) for cpu in cpus})
    return max(1, min(distinct, _allowance(quota, distinct)))


def _siblings(folder: Path, cpu: int) -> str:
    try:
        return (folder / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _allowance(path: Path, otherwise: int) -> int:
    try:
        share, period = path.read_text().split()
        return int(share) // int(period)
    except (OSError, ValueError, ZeroDivisionError):  # there is none, or it is "max"
        return otherwise
