"""Memory that outlives the process that filled it."""

import os


def shared_memory() -> int | None:
    """A descriptor of memory that processes can share, or None where there is no such thing.

    It is empty; the first `Arena` gives it its size. It takes up room until the last process that
    has it closes it.
    """
    if not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("stormproof-weights")
