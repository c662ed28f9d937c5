"""How important a call is, for whoever has to choose between calls.

The priority in force is a context variable: all that a request does, in whatever function or task,
has the priority of the request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Final

from stormproof.errors import Problems


class Priority(IntEnum):
    """How important a call is; the greater, the more."""

    LOW = 0
    """Nobody waits for it: a batch, a prefetch, an evaluation."""

    NORMAL = 1
    """What has been said nothing about."""

    HIGH = 2
    """Somebody waits for it."""

    CRITICAL = 3
    """Everything else should make room for it."""


_priority: Final[ContextVar[Priority]] = ContextVar("stormproof.priority", default=Priority.NORMAL)

current_priority: Final = _priority.get
"""Return the priority in force in this context, ``NORMAL`` unless something else was said."""


@contextmanager
def prioritized(priority: Priority) -> Iterator[None]:
    """Put ``priority`` in force for everything in the ``with`` block, and in tasks begun there.

    Raises:
        ValidationErrors: That is no ``Priority``.
    """
    problems = Problems()
    problems.check(isinstance(priority, Priority), "priority", "must be a Priority", "priority")
    problems.raise_if_any("the priority is not valid")
    token = _priority.set(priority)
    try:
        yield
    finally:
        _priority.reset(token)
