"""Memory that outlives the process that filled it."""

import os


def shared_memory(use: str) -> int | None:
    """A descriptor of memory that processes can share, or None where there is no such thing.

    It is empty; the first who uses it gives it its size. It takes up room until the last process
    that has it closes it.

    Args:
        use: What for, as the system will name it.
    """
    if not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create(f"stormproof-{use}")
