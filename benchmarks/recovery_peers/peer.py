"""How a library is asked for what the traps are about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

RESET: Final = 0.2
"""Seconds that a circuit stays open in the traps."""

LIMIT: Final = 0.3
"""Seconds that the deadline trap allows."""

Guard: TypeAlias = Callable[[Any], Any]
"""Guards a function of no arguments."""

Make: TypeAlias = Callable[[], Guard]
"""Makes a guard that has seen nothing."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What a library offers; None where it has no such thing.

    Attributes:
        name: The library.
        package: The import name whose modules read clocks.
        breaker: For coroutine functions: opens at the second failure, for ``reset`` seconds.
        thread_breaker: The same for sync functions.
        reset: Seconds that its circuit stays open; more where it counts whole seconds.
        rate_breaker: For sync functions: opens at 40 % failures of 20 calls, or as near as it gets.
        retry: For coroutine functions: three attempts on every exception, without waits.
        plain_retry: The same with whatever it retries by default; it may wait.
        budgeted_retry: ``retry`` within a budget of a fifth, or forty retries.
        deadline: ``retry`` of everything within ``LIMIT`` seconds.
    """

    name: str
    package: str
    breaker: Make | None = None
    thread_breaker: Make | None = None
    reset: float = RESET
    rate_breaker: Make | None = None
    retry: Make | None = None
    plain_retry: Make | None = None
    budgeted_retry: Make | None = None
    deadline: Make | None = None
