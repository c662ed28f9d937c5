"""What is measured: one guarded call of a function that returns 1."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

FAR: Final = 86_400
PLENTY: Final = 1_000_000
"""A rate or a width that nothing here reaches."""

STACK: Final = "limit + breaker + retry + deadline"
ENFORCED: Final = "limit + breaker + retry + enforced deadline"
REJECTION: Final = "rejection by an open circuit"
RETRIED: Final = "one retried attempt, no wait"


class Boom(Exception):
    """A failure that no library knows."""


@dataclass
class Row:
    """One line of the table.

    Attributes:
        group: What is compared.
        who: Whose figure it is.
        call: Makes one guarded call.
        is_async: Whether it has to be awaited.
        attempts: How many retried attempts are in one call, where that is what is measured.
        minus: The call without retried attempts, whose cost is taken off.
    """

    group: str
    who: str
    call: Callable[[], Any]
    is_async: bool = False
    attempts: int = 1
    minus: "Row | None" = None
    figures: list[float] = field(default_factory=list)


def ok() -> int:
    return 1


async def aok() -> int:
    return 1


def boom() -> int:
    raise Boom


async def aboom() -> int:
    raise Boom


def both(group: str, who: str, guard: Callable[[Any], Any]) -> Iterator[Row]:
    """Measure a guard around a sync function and around a coroutine function."""
    yield Row(group, who, guard(ok))
    yield Row(group, who, guard(aok), is_async=True)


def retried(
    who: str,
    guard: Callable[[Any], Any],
    make: Callable[[], Exception] = Boom,
    *,
    sync: bool = True,
) -> Iterator[Row]:
    """Measure a retried attempt, without any wait."""
    if sync:
        plain = Row("", "", guard(ok))
        yield Row(RETRIED, who, guard(_failing_twice(make)), attempts=2, minus=plain)
    aplain = Row("", "", guard(aok), is_async=True)
    failing = guard(_afailing_twice(make))
    yield Row(RETRIED, who, failing, is_async=True, attempts=2, minus=aplain)


def swallow(call: Callable[[], Any]) -> Callable[[], Any]:
    def swallowing() -> None:
        try:  # noqa: SIM105 - suppress() would be measured too
            call()
        except Exception:  # noqa: BLE001, S110 - a rejection is what is measured
            pass

    return swallowing


def aswallow(call: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    async def swallowing() -> None:
        try:  # noqa: SIM105 - suppress() would be measured too
            await call()
        except Exception:  # noqa: BLE001, S110 - a rejection is what is measured
            pass

    return swallowing


def tripped(guarded: Callable[[], Any], failures: int = 8) -> Callable[[], Any]:
    """Return a call of ``guarded``, whose circuit is open by then."""
    call = swallow(guarded)
    for _ in range(failures):
        call()
    return call


def atripped(guarded: Callable[[], Awaitable[Any]], failures: int = 8) -> Callable[[], Any]:
    """Return an awaited call of ``guarded``, whose circuit is open by then."""
    call = aswallow(guarded)
    for _ in range(failures):
        try:
            call().send(None)
        except StopIteration:
            continue
    return call


def _failing_twice(make: Callable[[], Exception]) -> Callable[[], int]:
    """Two of three calls fail: a guarded call is three attempts, two of them retried."""
    failing = cycle((True, True, False))

    def call() -> int:
        if next(failing):
            raise make()
        return 1

    return call


def _afailing_twice(make: Callable[[], Exception]) -> Callable[[], Awaitable[int]]:
    failing = cycle((True, True, False))

    async def call() -> int:
        if next(failing):
            raise make()
        return 1

    return call
